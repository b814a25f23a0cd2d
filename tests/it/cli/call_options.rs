//! Tests of the options of `gatepass call`: bodies, query, output file and `--fail`.

use std::fs;

use gatepass_tests::{Home, Received, Reply, Run, Server, VENDORS, vendor};

use super::call::{api_requests, home, server};

/// Starts an API that returns this reply, and a home with a profile for it.
fn api(reply: Reply) -> (Server, Home) {
    let vendor = vendor("celerdata");
    let server = server(vendor, move |_, _| reply.clone());
    let home = home(vendor, &server, "");
    (server, home)
}

fn call(home: &Home, args: &[&str]) -> Run {
    home.gatepass(["call", "celerdata", "/x"].into_iter().chain(args.iter().copied())).run()
}

/// Returns the only API request of a call with these options.
fn sent(args: &[&str]) -> Received {
    let (server, home) = api(Reply::json(200, "{}"));
    call(&home, args).ok();
    api_requests(&server, vendor("celerdata")).pop().unwrap()
}

#[test]
fn repeated_data_is_joined_by_ampersands() {
    let request = sent(&["-d", "a=1", "-d", "b=2", "--data", "c"]);
    assert_eq!((request.method.as_str(), request.text()), ("POST", "a=1&b=2&c"));
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(request.header("content-type"), form);
    assert_eq!(sent(&["-d", "{}", "-d", "{}"]).header("content-type"), form);
}

#[test]
fn json_sets_both_headers() {
    let request = sent(&["--json", "\"a string\""]);
    assert_eq!((request.method.as_str(), request.text()), ("POST", "\"a string\""));
    for name in ["content-type", "accept"] {
        assert_eq!(request.header(name), Some("application/json"));
    }
    let request = sent(&["-X", "put", "--json", "[1,", "--json", "2]", "-H", "Accept: text/csv"]);
    assert_eq!((request.method.as_str(), request.text()), ("PUT", "[1,2]"));
    assert_eq!(request.header("accept"), Some("text/csv"));
}

#[test]
fn form_and_query_are_encoded() {
    let request =
        sent(&["--form", "a b=c&d=e", "--form", "f=@ä", "--query", "q=1 2&3", "--query", "r="]);
    assert_eq!(request.form(), [("a b", "c&d=e"), ("f", "@ä")].map(|(a, b)| (a.into(), b.into())));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.target, "/x?q=1%202%263&r=");
    let (server, home) = api(Reply::json(200, "{}"));
    for (path, target) in [("/y?a=b", "/y?a=b&c=d"), ("/y?", "/y?c=d"), ("/y?a&", "/y?a&c=d")] {
        home.gatepass(["call", "celerdata", path, "--query", "c=d"]).run().ok();
        let requests = api_requests(&server, vendor("celerdata"));
        let last = requests.last().unwrap();
        assert_eq!((last.method.as_str(), last.target.as_str()), ("GET", target));
    }
}

#[test]
fn conflicting_options_are_named_before_a_request() {
    let (server, home) = api(Reply::json(200, "{}"));
    for (args, message) in [
        (["-d", "a", "--json", "{}"].as_slice(), "--data cannot be used with --json"),
        (&["-d", "a", "--form", "a=b"], "--data cannot be used with --form"),
        (&["--json", "{}", "--form", "a=b"], "--json cannot be used with --form"),
        (&["--form", "no-equals-sign"], "expected NAME=VALUE"),
        (&["--query", "=x"], "expected NAME=VALUE"),
        (&["-o", "missing/file"], "its directory does not exist"),
        (&["-o", "."], "it is a directory"),
        (&["--json", "@missing.json"], "--json: cannot read missing.json"),
    ] {
        let run = call(&home, args);
        assert!(run.failed(2).contains(message), "{args:?}: {run:#?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn output_file_is_replaced_as_a_whole() {
    let (_server, home) = api(Reply::new(404, "text/plain", "the response"));
    let file = home.write_as("work/out", "before", 0o640);
    std::os::unix::fs::symlink("out", home.path("work/link")).unwrap();
    for args in [["-o", "out"], ["--output", "link"]] {
        let run = call(&home, &args);
        assert_eq!((run.ok(), run.stderr.as_str()), ("", ""));
        assert_eq!(fs::read_to_string(&file).unwrap(), "the response");
        fs::write(&file, "before").unwrap();
    }
    assert!(home.path("work/link").is_symlink());
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(call(&home, &["-o", "-"]).ok(), "the response");
    assert_eq!(call(&home, &["-o", "/dev/stdout"]).ok(), "the response");
    let head = call(&home, &["-i", "-o", "new"]);
    assert_eq!(head.ok(), "");
    let new = fs::read_to_string(home.path("work/new")).unwrap();
    assert!(new.starts_with("HTTP/1.1 404") && new.ends_with("\r\n\r\nthe response"), "{new}");
}

#[test]
fn output_file_is_unchanged_after_a_failure() {
    let interrupted = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning";
    let status = Reply::new(500, "text/plain", "an error");
    for (reply, args) in [
        (status.clone(), ["--fail", "-o", "old"].as_slice()),
        (status, &["--fail", "-o", "new"]),
        (Reply::raw(interrupted), &["-o", "old"]),
        (Reply::raw(interrupted), &["-o", "new"]),
    ] {
        let (_server, home) = api(reply);
        let old = home.write("work/old", "before");
        let run = call(&home, args);
        run.failed(6);
        assert_eq!(run.stdout, "");
        assert!(!run.stderr.contains("stdout"), "{run:#?}");
        assert_eq!(fs::read_to_string(&old).unwrap(), "before");
        let names =
            fs::read_dir(home.path("work")).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["old"], "{args:?}");
    }
}

#[test]
fn interrupt_removes_the_unfinished_output_file() {
    let vendor = vendor("celerdata");
    let server = server(vendor, |_, _| Reply::silence());
    let home = home(vendor, &server, "");
    let running = home.gatepass(["call", "celerdata", "/x", "-o", "out"]).spawn();
    server.arrival();
    server.arrival();
    running.interrupt();
    assert_eq!(running.finish().code, None);
    assert_eq!(fs::read_dir(home.path("work")).unwrap().count(), 0);
}

#[test]
fn rejected_request_has_its_own_exit_code() {
    for status in [400, 404, 409, 418, 422] {
        let (_server, home) = api(Reply::new(status, "text/plain", "no"));
        let run = call(&home, &["--fail", "--format", "json"]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(9), "no"), "{run:#?}");
        let report: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
        let error = &report["error"];
        assert_eq!((&error["code"], &error["exit"]), (&"rejected".into(), &9.into()), "{error}");
    }
}

#[test]
fn call_and_token_recognise_the_same_rate_limit() {
    for (code, exit) in [
        ("ERR_403_DEVELOPER_OVER_RATE", 5),
        ("ERR_403_DEVELOPER_OVER_QPS", 5),
        ("ERR_403_DEVELOPER_INACTIVE", 3),
    ] {
        let over = Reply::new(403, "text/xml", "<h1>Developer Over Rate</h1>")
            .with("x-mashery-error-code", code)
            .with("retry-after", "7");
        let reply = over.clone();
        let cisco = vendor("cisco");
        let api = server(cisco, move |_, _| reply.clone());
        let run = home(cisco, &api, "").gatepass(["call", "cisco", "/x", "--fail"]).run();
        assert_eq!(run.code, Some(exit), "{run:#?}");
        assert_eq!(run.stderr.contains("not before"), exit == 5, "{run:#?}");
        assert!(!run.stderr.contains("new token was tried"), "{run:#?}");
        let tokens = Server::responding([over]);
        let home = Home::with_config(&cisco.profile(&tokens.url(), ""));
        let run = home.gatepass(["token", "cisco", "--wait", "0s"]).run();
        assert_eq!(run.code, Some(exit), "{run:#?}");
    }
    // A 403 of another vendor is not a rate limit.
    for one in VENDORS.iter().filter(|one| one.id != "cisco") {
        let vendor = vendor(one.id);
        let api = server(vendor, |_, _| Reply::json(403, r#"{"message":"not yours"}"#));
        let run = home(vendor, &api, "").gatepass(["call", one.id, "/x", "--fail"]).run();
        assert_eq!(run.code, Some(3), "{run:#?}");
    }
}
