//! Tests of invalid responses of vendors and their exit codes and messages.

mod all_rows;
mod attempts;
mod each_byte;
mod machine;
mod proofs;
mod redirects;
mod rows;
pub(crate) mod table;

use gatepass_tests::{Home, Reply, Server, VENDORS, Vendor};

use self::table::{FAULTS, Fault, UNUSUAL_RESPONSES};

/// Starts a vendor that always sends `reply`, and returns it with a home with a profile whose timeout is one second.
pub(crate) fn faulty(vendor: &Vendor, reply: Reply) -> (Server, Home) {
    let server = Server::responding([reply]);
    let home = Home::with_config(&vendor.profile(&server.url(), "timeout = \"1s\""));
    (server, home)
}

/// Returns the differences between the command's behaviour and the expected one.
fn find_difference(vendor: &Vendor, fault: &Fault) -> Option<String> {
    let (server, home) = faulty(vendor, (fault.reply)(vendor));
    let args = ["token", vendor.id, "--wait", "0s", "--format", "json"];
    let run = home.gatepass(args).run();
    if run.code != Some(fault.exit) {
        return Some(format!("{} / {}: {run:#?}", vendor.id, fault.name));
    }
    let error = run.error(fault.exit);
    let message = error["message"].as_str().unwrap().replace(&server.url(), "BASE");
    let expected = format!("{0}/{0}: {1}", vendor.id, fault.message);
    let requests = server.requests().len();
    let mut problems = Vec::new();
    if error["code"] != fault.code {
        problems.push(format!("code {} and not {}", error["code"], fault.code));
    }
    if message != expected {
        problems.push(format!("message  {message}\n      expected {expected}"));
    }
    if error["hint"].as_str().is_none_or(str::is_empty) {
        problems.push(String::from("no hint"));
    }
    if error["retry_at"].is_string() != fault.has_time {
        problems.push(format!("retry_at {}", error["retry_at"]));
    }
    if requests != 1 {
        problems.push(format!("{requests} requests"));
    }
    let problems = problems.join("\n      ");
    (!problems.is_empty()).then(|| format!("{} / {}: {problems}", vendor.id, fault.name))
}

#[test]
fn each_fault_has_exit_code_sentence_and_hint() {
    let differences: Vec<String> = std::thread::scope(|scope| {
        let check = |vendor: &'static Vendor| {
            let faults = FAULTS.iter().filter(|fault| (fault.applies)(vendor));
            faults.filter_map(|fault| find_difference(vendor, fault)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = VENDORS
            .iter()
            .map(|vendor| gatepass_tests::vendor(vendor.id))
            .map(|vendor| scope.spawn(move || check(vendor)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn unusual_response_with_a_good_token_succeeds() {
    for unusual in UNUSUAL_RESPONSES {
        for vendor in VENDORS.iter().filter(|vendor| (unusual.applies)(vendor)) {
            let server = Server::responding([(unusual.reply)(vendor)]);
            // Cloudneeti's responses have no lifetime.
            let more = if vendor.id == "cloudneeti" { "lifetime = \"1h\"" } else { "" };
            let home = Home::with_config(&vendor.profile(&server.url(), more));
            let run = home.gatepass(["token", vendor.id]).run();
            assert_eq!(run.ok(), "token-1\n", "{} / {}", vendor.id, unusual.name);
            assert_eq!(run.stderr.contains("warning"), unusual.warns, "{}: {run:#?}", unusual.name);
            assert_eq!(server.requests().len(), 1);
        }
    }
}
