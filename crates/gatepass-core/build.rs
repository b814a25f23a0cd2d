//! Exists because `links` needs a build script; see `Cargo.toml`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
