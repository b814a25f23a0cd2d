//! Documentation tests of the manual's pages with Rust code.

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
    StartStore: "docs/start/store.md"
}
