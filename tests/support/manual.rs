//! The manual's Rust: every page that has some is a documentation test here.

macro_rules! pages {
    ($($name:ident: $path:literal)*) => {
        $(#[doc = include_str!(concat!("../../", $path))] struct $name;)*
    };
}

pages! {
    Readme: "README.md"
}
