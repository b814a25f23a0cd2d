//! Tests of the curl format with curl.

use gatepass_tests::Reply;

use super::{HOSTILE, Setup};

#[test]
fn curl_sends_all_headers() {
    for (format, option) in [("header", "-H @-"), ("curl", "-K -")] {
        let setup = Setup::hostile("cloudneeti", |_| Reply::json(200, "{\"an\":\"answer\"}"));
        let script =
            format!("gatepass token cloudneeti --format {format} | curl -sS {option} $URL/x");
        let run = setup.program("sh", ["-c", &script]).run();
        assert_eq!(run.ok(), "{\"an\":\"answer\"}");
        let requests = setup.api_requests();
        let [request] = requests.as_slice() else { panic!("{requests:#?}") };
        let bearer = format!("Bearer {HOSTILE}");
        assert_eq!(request.header("authorization"), Some(bearer.as_str()), "{format}");
        let key = request.header("ocp-apim-subscription-key");
        assert_eq!(key, Some("subscription_key-of-the-tests"), "{format}");
    }
}
