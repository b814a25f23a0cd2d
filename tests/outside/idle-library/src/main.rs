//! A service that acquires a token with the library and then has nothing to do.
//!
//! Its arguments are the vendor's address and the file of the secret; its CA is in the file `ca.pem`.

use std::alloc::System;

use gatepass::celerdata::CelerData;
use gatepass::{Credential, Endpoint, HttpClient, Secret, TokenSource, credential_fn};
use zeroizing_alloc::ZeroAlloc;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (address, file) = (arguments.next().unwrap(), arguments.next().unwrap());
    let vendor = CelerData::new().base_url(Endpoint::parse(&address).unwrap());
    let credential = credential_fn(move || {
        let secret = std::fs::read_to_string(&file).unwrap();
        async move { Ok(Credential::client("app-1", Secret::from(secret))) }
    });
    let mut http = HttpClient::builder();
    if let Ok(pem) = std::fs::read("ca.pem") {
        http = http.ca_pem(&pem).unwrap();
    }
    let source =
        TokenSource::builder(vendor, credential).http(http.build().unwrap()).build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    match runtime.block_on(source.token()) {
        Ok(_) => println!("ready"),
        Err(error) => println!("failed: {error}"),
    }
    std::thread::park();
}
