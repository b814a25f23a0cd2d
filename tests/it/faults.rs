//! Tests of invalid responses of vendors and their exit codes and messages.

mod each_byte;
mod every;
mod machine;
mod proofs;
mod redirects;
mod rows;
pub(crate) mod table;
mod tries;

use gatepass_tests::{Home, Reply, Server, VENDORS, Vendor};

use self::table::{FAULTS, Fault, ODD_TOKENS};

/// A vendor that always sends `reply`, and a home with a profile whose timeout is one second.
pub(crate) fn faulty(vendor: &Vendor, reply: Reply) -> (Server, Home) {
    let server = Server::answering([reply]);
    let home = Home::with_config(&vendor.profile(&server.url(), "timeout = \"1s\""));
    (server, home)
}

/// Returns the differences between the command's behaviour and the expected one.
fn complaint(vendor: &Vendor, fault: &Fault) -> Option<String> {
    let (server, home) = faulty(vendor, (fault.reply)(vendor));
    let args = ["token", vendor.id, "--wait", "0s", "--format", "json"];
    let run = home.gatepass(args).run();
    if run.code != Some(fault.exit) {
        return Some(format!("{} / {}: {run:#?}", vendor.id, fault.name));
    }
    let error = run.error(fault.exit);
    let message = error["message"].as_str().unwrap().replace(&server.url(), "BASE");
    let wanted = format!("{0}/{0}: {1}", vendor.id, fault.says);
    let seen = server.requests().len();
    let mut wrong = Vec::new();
    if error["code"] != fault.code {
        wrong.push(format!("code {} and not {}", error["code"], fault.code));
    }
    if message != wanted {
        wrong.push(format!("says  {message}\n      not   {wanted}"));
    }
    if error["hint"].as_str().is_none_or(str::is_empty) {
        wrong.push(String::from("no hint"));
    }
    if error["retry_at"].is_string() != fault.has_time {
        wrong.push(format!("retry_at {}", error["retry_at"]));
    }
    if seen != 1 {
        wrong.push(format!("{seen} requests"));
    }
    let wrong = wrong.join("\n      ");
    (!wrong.is_empty()).then(|| format!("{} / {}: {wrong}", vendor.id, fault.name))
}

#[test]
fn each_fault_has_exit_code_sentence_and_hint() {
    let complaints: Vec<String> = std::thread::scope(|scope| {
        let of = |vendor: &'static Vendor| {
            let faults = FAULTS.iter().filter(|fault| (fault.of)(vendor));
            faults.filter_map(|fault| complaint(vendor, fault)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = VENDORS
            .iter()
            .map(|vendor| gatepass_tests::vendor(vendor.id))
            .map(|vendor| scope.spawn(move || of(vendor)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn unusual_response_with_a_good_token_succeeds() {
    for odd in ODD_TOKENS {
        for vendor in VENDORS.iter().filter(|vendor| (odd.of)(vendor)) {
            let server = Server::answering([(odd.reply)(vendor)]);
            // Cloudneeti's responses have no lifetime.
            let more = if vendor.id == "cloudneeti" { "lifetime = \"1h\"" } else { "" };
            let home = Home::with_config(&vendor.profile(&server.url(), more));
            let run = home.gatepass(["token", vendor.id]).run();
            assert_eq!(run.ok(), "token-1\n", "{} / {}", vendor.id, odd.name);
            assert_eq!(run.stderr.contains("warning"), odd.warns, "{}: {run:#?}", odd.name);
            assert_eq!(server.requests().len(), 1);
        }
    }
}
