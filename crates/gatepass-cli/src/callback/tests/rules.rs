//! Tests of the request policy and of the response headers.

use super::*;

#[tokio::test]
async fn only_exact_host_is_served() {
    let login = Login::new().await;
    let port = login.port;
    for host in [
        "127.0.0.1".to_owned(),
        format!("127.0.0.1:{}", port ^ 1),
        format!("127.0.0.1:0{port}"),
        format!("127.0.0.1:{port}:{port}"),
        format!("127.0.0.1.:{port}"),
        format!("127.1:{port}"),
        format!("127.0.1:{port}"),
        format!("127.000.000.001:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("0x7f000001:{port}"),
        format!("2130706433:{port}"),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
        format!("0:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("localhost.:{port}"),
        format!("localhost.localdomain:{port}"),
        format!("a.localhost:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[::ffff:7f00:1]:{port}"),
        format!("[::]:{port}"),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("127.0.0.1.nip.io:{port}"),
        format!("evil.example@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}@evil.example"),
        format!("127.0.0.1:{port}, evil.example"),
        format!("http://127.0.0.1:{port}"),
        format!("127.0.0.1:{port}/"),
        format!("127.0.0.1 :{port}"),
        format!("xn--127-0ga.0.0.1:{port}"),
        format!("１２７.0.0.1:{port}"),
        "evil.example".to_owned(),
        String::new(),
    ] {
        for path in [PATH, "/", login.start_path()] {
            let reply = login.raw(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert_eq!(reply.status, 403, "{host}");
        }
    }
    for hosts in
        ["", "Host: 127.0.0.1:P\r\nHost: 127.0.0.1:P\r\n", "Host: 127.0.0.1:P\r\nhost: x\r\n"]
    {
        let hosts = hosts.replace('P', &port.to_string());
        let reply = login.raw(format!("GET {PATH} HTTP/1.1\r\n{hosts}\r\n")).await;
        assert_eq!(reply.status, 400, "{hosts}");
    }
    let reply = login.raw(format!("GET {PATH} HTTP/1.0\r\n\r\n")).await;
    assert_eq!(reply.status, 400);
    let events = login.events();
    assert!(events.contains(&CallbackEvent::Rejected("it named another host")), "{events:?}");
    assert_eq!(login.end().await, "?#end");
}

#[tokio::test]
async fn absolute_target_must_name_this_server() {
    let login = Login::new().await;
    let host = login.authority();
    for (target, expected) in [
        (format!("http://{host}{PATH}"), 200),
        (format!("http://evil.example{PATH}"), 400),
        (format!("http://{host}@evil.example{PATH}"), 400),
        (format!("http://127.0.0.1{PATH}"), 400),
        (format!("http://evil@{host}{PATH}"), 400),
    ] {
        let reply = login.raw(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(reply.status, expected, "{target}");
    }
    login.running.abort();
}

#[tokio::test]
async fn foreign_delivery_is_rejected_and_login_continues() {
    let login = Login::new().await;
    let (page, host) = (login.page().await, login.authority());
    let origin = format!("http://{host}");
    let port = login.port;
    let origins = [
        None,
        Some("null".to_owned()),
        Some("https://evil.example".to_owned()),
        Some(format!("https://{host}")),
        Some(format!("http://localhost:{port}")),
        Some("http://127.0.0.1".to_owned()),
        Some(format!("http://127.0.0.1:{}", port ^ 1)),
        Some(format!("{origin}/")),
        Some(format!("HTTP://{host}")),
        Some(format!("{origin} {origin}")),
        Some(format!("{origin}\r\nOrigin: https://evil.example")),
    ];
    for foreign in &origins {
        let mut headers = vec![("Content-Type", RESPONSE_TYPE)];
        headers.extend(foreign.as_deref().map(|origin| ("Origin", origin)));
        let reply = login.post(&page, &headers, "#stolen").await;
        assert_eq!(reply.status, 403, "{foreign:?}");
    }
    for site in ["cross-site", "same-site", "none", ""] {
        let headers = [
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", site),
            ("Content-Type", RESPONSE_TYPE),
        ];
        assert_eq!(login.post(&page, &headers, "#stolen").await.status, 403, "{site}");
    }
    for content_type in [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
        "application/vnd.gatepass.answer; charset=utf-8",
        "",
    ] {
        let headers = [("Origin", origin.as_str()), ("Content-Type", content_type)];
        let reply = login.post(&page, &headers, "#stolen").await;
        assert_eq!(reply.status, 415, "{content_type}");
    }
    assert_eq!(login.post(&page, &[("Origin", &origin)], "#stolen").await.status, 415);
    assert!(login.events().contains(&CallbackEvent::Rejected("it came from another origin")));
    assert_eq!(login.deliver(&page, "#own").await.status, 200);
    assert_eq!(login.running.await.unwrap(), "#own");
}

#[tokio::test]
async fn unknown_path_accepts_no_delivery() {
    let login = Login::new().await;
    let page = login.page().await;
    let mut near = page.clone();
    let last = if near.pop() == Some('A') { 'B' } else { 'A' };
    near.push(last);
    for path in [&near, &page[..page.len() - 1], &format!("{page}/"), "/", "//"] {
        assert_eq!(login.deliver(path, "#x").await.status, 404, "{path}");
    }
    for path in [PATH, login.start_path()] {
        assert_eq!(login.deliver(path, "#x").await.status, 405, "{path}");
    }
    assert_eq!(login.end().await, "?#end");
}

#[tokio::test]
async fn first_page_delivers_after_many_other_loads() {
    let login = Login::new().await;
    let first = login.page().await;
    for _ in 0..200 {
        login.page().await;
    }
    assert_eq!(login.deliver(&first, "#x").await.status, 200);
    assert_eq!(login.running.await.unwrap(), "#x");
}

#[tokio::test]
async fn page_requires_top_level_navigation() {
    let login = Login::new().await;
    let visit =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    assert_eq!(login.get(PATH, visit).await.status, 200);
    for load in [
        "Sec-Fetch-Mode: no-cors\r\n",
        "Sec-Fetch-Mode: cors\r\n",
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        "Sec-Fetch-Dest: script\r\n",
        "Sec-Purpose: prefetch;prerender\r\n",
    ] {
        assert_eq!(login.get(PATH, load).await.status, 403, "{load}");
    }
    login.running.abort();
}

#[tokio::test]
async fn other_methods_and_preflights_are_rejected() {
    let login = Login::new().await;
    let (page, host) = (login.page().await, login.authority());
    let preflight = "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: content-type\r\n\
                     Access-Control-Request-Private-Network: true\r\n";
    for method in ["OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "get"] {
        for path in [PATH, login.start_path(), &page, "/"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{preflight}\r\n");
            let reply = login.raw(request).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert!(!reply.head.to_lowercase().contains("access-control"), "{reply:?}");
        }
    }
    assert_eq!(login.get(&page, "").await.status, 405);
    assert_eq!(login.deliver(&page, "#x").await.status, 200);
    assert_eq!(login.running.await.unwrap(), "#x");
}

#[tokio::test]
async fn registered_query_precedes_vendor_query() {
    let login = Login::at("127.0.0.1", "/cb?app=1").await;
    for (target, expected) in [
        ("/cb?app=1", 200),
        ("/cb?app=1&error=access_denied", 200),
        ("/cb", 200),
        ("/cb?app=12", 404),
        ("/cb?error=access_denied", 404),
        ("/cb/", 404),
        ("/CB?app=1", 404),
        ("/cb%2f?app=1", 404),
        ("/", 404),
        ("/favicon.ico", 404),
    ] {
        assert_eq!(login.get(target, "").await.status, expected, "{target}");
    }
    let page = delivery_of(&login.get("/cb?app=1", "").await);
    let result = login.deliver(&page, "?app=1").await;
    assert!(result.body.starts_with(r#"{"state":"empty""#), "{result:?}");
    let page = delivery_of(&login.get("/cb?app=1", "").await);
    assert_eq!(login.deliver(&page, "?app=1#x").await.status, 200);
    assert_eq!(login.running.await.unwrap(), "?app=1#x");
}

#[tokio::test]
async fn every_response_has_security_headers_only() {
    let login = Login::new().await;
    let (page, host) = (login.page().await, login.authority());
    let replies = [
        login.get(PATH, "").await,
        login.get(PATH, "Sec-Fetch-Mode: cors\r\n").await,
        login.get(login.start_path(), "").await,
        login.get(login.start_path(), "").await,
        login.get("/other", "").await,
        login.raw(format!("OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n")).await,
        login.raw(format!("GET {PATH} HTTP/1.1\r\nHost: evil.example\r\n\r\n")).await,
        login.post(&page, &[("Origin", "null")], "").await,
        login.deliver(&page, "").await,
        login.deliver(&page, "").await,
    ];
    let statuses = replies.each_ref().map(|reply| reply.status);
    assert_eq!(statuses, [200, 403, 303, 410, 404, 405, 403, 403, 200, 200]);
    let mut nonces = Vec::new();
    for reply in &replies {
        for (name, expected) in [
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("pragma", "no-cache"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("connection", "close"),
        ] {
            assert_eq!(reply.header(name), Some(expected), "{name} in {reply:?}");
        }
        for name in ["server", "set-cookie", "access-control-allow-origin", "x-powered-by"] {
            assert_eq!(reply.header(name), None, "{name} in {reply:?}");
        }
        let policy = reply.header("content-security-policy").unwrap();
        let (_, rest) = policy.split_once("script-src 'nonce-").unwrap();
        let nonce = rest.split_once('\'').unwrap().0;
        assert_eq!(nonce.len(), 22);
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
                 connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
        );
        let tags = ["<script", "<style"].map(|tag| reply.body.matches(tag).count());
        assert_eq!(reply.body.matches(&format!("nonce=\"{nonce}\"")).count(), tags[0] + tags[1]);
        nonces.push(nonce);
    }
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), replies.len());
    login.running.abort();
}

#[tokio::test]
async fn pages_never_repeat_the_response() {
    let login = Login::new().await;
    let canary = "canary-access-token";
    let page = login.get(&format!("{PATH}?access_token={canary}"), "").await;
    let delivery = delivery_of(&page);
    let result = login.deliver(&delivery, &format!("#access_token={canary}")).await;
    let received = login.running.await.unwrap();
    assert!(received.contains(canary));
    for reply in [page, result] {
        assert_eq!(reply.status, 200);
        assert!(!format!("{reply:?}").contains("canary"), "{reply:?}");
    }
}

#[tokio::test]
async fn pages_are_complete_and_load_no_external_resources() {
    let login = Login::new().await;
    for page in [login.get(PATH, "").await, login.get("/other", "").await] {
        for placeholder in [
            "{nonce}",
            "{script}",
            "{style}",
            "{icon}",
            "{title}",
            "{text}",
            "{state}",
            "{delivery}",
            "{type}",
        ] {
            let body = page.body.replace("${title}", "");
            assert!(!body.contains(placeholder), "{placeholder}");
        }
        for elsewhere in ["http:", "https:", "src=", "url(", "@import"] {
            assert!(!page.body.contains(elsewhere), "{elsewhere}");
        }
    }
    let page = login.get(PATH, "").await;
    let first = page.body.split_once("<script").unwrap().1.split_once('>').unwrap().1;
    let stripped = first.find("history.replaceState(null, \"\", location.pathname)").unwrap();
    let sent = first.find("fetch(").unwrap();
    assert!(stripped < sent);
    assert!(!page.body.split_once("<script").unwrap().0.contains("<link"));
    login.running.abort();
}

#[tokio::test]
async fn large_heads_and_bodies_are_rejected() {
    let login = Login::new().await;
    let long = format!("X: {}\r\n", "a".repeat(20_000));
    let reply = login.get(PATH, &long).await;
    assert!([431, 0].contains(&reply.status), "{reply:?}");
    let (page, host) = (login.page().await, login.authority());
    let head = format!(
        "POST {page} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Content-Type: {RESPONSE_TYPE}\r\n"
    );
    let announced = login.raw(format!("{head}Content-Length: 65537\r\n\r\n")).await;
    assert_eq!(announced.status, 413);
    let page = login.page().await;
    let body = "a".repeat(65_537);
    let head = head.replace(head.split(' ').nth(1).unwrap(), &page);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n10001\r\n{body}\r\n");
    assert_eq!(login.raw(chunked).await.status, 413);
    let page = login.page().await;
    let most = format!("#{}", "a".repeat(65_535));
    assert_eq!(login.deliver(&page, &most).await.status, 200);
    assert_eq!(login.running.await.unwrap(), most);
}

#[tokio::test]
async fn truncated_or_binary_delivery_leaves_login_waiting() {
    let login = Login::new().await;
    let host = login.authority();
    for (length, body) in [(5, &b"#\xff\xfe\x80x"[..]), (2, b"#\xc3"), (100, b"#access_token=x")] {
        let page = login.page().await;
        let mut request = format!(
            "POST {page} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
             Content-Type: {RESPONSE_TYPE}\r\nContent-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        let mut tcp = TcpStream::connect(login.address()).await.unwrap();
        tcp.write_all(&request).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut reply = String::new();
        tcp.read_to_string(&mut reply).await.unwrap();
        assert!(!reply.contains("200 OK"), "{reply}");
    }
    assert_eq!(login.end().await, "?#end");
}
