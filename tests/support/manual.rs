//! The manual's Rust: every page that has some is a documentation test here.

macro_rules! pages {
    ($($name:ident: $path:literal)*) => {
        $(#[doc = include_str!(concat!("../../", $path))] struct $name;)*
    };
}

pages! {
    Readme: "README.md"
    Library: "docs/library.md"
    StartProvider: "docs/start/provider.md"
    StartRust: "docs/start/rust.md"
    StartSandbox: "docs/start/sandbox.md"
}
