//! Seeds of the targets that read text.

pub(super) const ADDRESSES: &[&str] = &[
    "https://Example.com:8443/base/\n/v1/token?a=b\nc=d\nhttps://example.com:8443/x",
    "http://127.0.0.1:8480\n/%2e%2e/x\nq\nhttp://127.0.0.1:8480/",
    "http://[::1]:1/a\n//b/c\na=%20\nhttp://[::1]:1",
    "https://user:word@example.com/\n\n\n",
    "name.example.com:443\n/\nx\nhttps://name.example.com",
];

pub(super) const VARIABLES: &[&str] = &[
    "GATEPASS_CISCO_ENVIRONMENT=id\nGATEPASS_CISCO_CLIENT_ID=a\nGATEPASS_CISCO_CLIENT_SECRET={SECRET}\nGATEPASS_CISCO_TIMEOUT=9s",
    "GATEPASS_MY_LAKE_PROVIDER=celerdata\nGATEPASS_MY_LAKE_CLIENT_ID=a\n\
     GATEPASS_MY_LAKE_CLIENT_SECRET=b\nGATEPASS_MY_LAKE_KEEP_WARM=1",
    "GATEPASS_IAM_PROVIDER=huawei\nGATEPASS_IAM_DOMAIN={SECRET}\nHOME=x",
];

pub(super) const REDIRECTS: &[&str] = &[
    "http://localhost/app/index.html\n#access_token={SECRET}&token_type=bearer&expires_in=3599\
     &state={STATE}",
    "http://127.0.0.1:0/callback\nhttp://127.0.0.1:0/callback?access_token=a&state={STATE}",
    "https://app.example.com/\n?error=access_denied&error_description={SECRET}&state={STATE}",
    "http://[::1]:8400/cb?x=y\nid_token={SECRET}&refresh_token=%41&state=%7BSTATE}&scope=a+b",
    "https://app.example.com:99/a\nhttps://app.example.com:99/a#state=other&access_token=x",
];

pub(super) const TIMES: &[&str] = &[
    "\0\0\0\0\0\0\0\0Sun, 06 Nov 1994 08:49:37 GMT\n120",
    "\0\0\0\0\0\0\0\0Sunday, 06-Nov-94 08:49:37 GMT\nSun Nov  6 08:59:37 1994\n-1",
    "aaaaaaaa\n99999999999999999999\n0",
    "\x01\0\0\0\0\0\0\0Sat, 21 Nov 2026 08:49:37 GMT\n@1795252800",
];

pub(super) const REQUESTS: &[&str] = &[
    "POST /cisco/as/token.oauth2 HTTP/1.1\ncontent-type: application/x-www-form-urlencoded\n\n\
     grant_type=client_credentials&client_id=client_id&client_secret={SECRET}\0\
     GET /cisco/hello HTTP/1.1\nauthorization: Bearer {TOKEN}\n\n",
    "POST /cloudneeti/api/authorize/license/license_id/token HTTP/1.1\n\
     content-type: application/json\nocp-apim-subscription-key: {SECRET}\n\n\
     {\"APIApplicationId\":\"api_application_id\",\"Secret\":\"{SECRET}\"}\0\
     GET /cloudneeti/onboarding/license/license_id/licenseAccounts HTTP/1.1\n\
     authorization: Bearer {TOKEN}\nocp-apim-subscription-key: {SECRET}\n\n",
    "POST /celerdata/api/1.0/token?grant_type=client_credentials HTTP/1.1\n\
     authorization: Basic Y2xpZW50X2lkOkNOUlk=\n\n\0GET /celerdata/api/1.0/clusters HTTP/1.1\n\n",
    "POST /configapi/configapi/v2/oauth/token HTTP/1.1\n\
     content-type: application/x-www-form-urlencoded\n\n\
     grant_type=client_credentials&client_id=client_id&client_secret={SECRET}&scope=x",
    "POST /huawei/api/v2/tenant/token HTTP/1.1\n\
     content-type: application/x-www-form-urlencoded\n\n\
     grant_type=client_credentials&client_id=client_id&client_secret={SECRET}\0\
     GET /huawei/api/v2/tenant/users?org_id=&offset=0&limit=10 HTTP/1.1\n\
     authorization: Bearer {TOKEN}\n\n",
    "GET /cisco/as/authorization.oauth2?response_type=token&client_id=client_id\
     &redirect_uri=http://127.0.0.1:1/x&state=s HTTP/1.1\n\n",
    "POST /_sandbox/clients HTTP/1.1\n\n\
     {\"provider\":\"cisco\",\"fields\":{\"client_id\":\"b\"},\"ttl_seconds\":60}\0\
     POST /_sandbox/time HTTP/1.1\n\n{\"advance_seconds\":60}\0\
     POST /_sandbox/revoke HTTP/1.1\n\n{\"provider\":\"cisco\"}\0POST /_sandbox/reset HTTP/1.1\n\n",
    "POST /_sandbox/faults HTTP/1.1\n\n\
     {\"provider\":\"cisco\",\"fault\":\"status-503\",\"times\":3,\"applies_to\":\"token\"}\0\
     POST /cisco/as/token.oauth2 HTTP/1.1\n\n\0GET /_sandbox/faults HTTP/1.1\n\n\0\
     POST /_sandbox/faults HTTP/1.1\n\n{\"clear\":true}",
];

pub(super) const HELPER_REQUESTS: &[&str] = &[
    "git get\ncapability[]=authtype\nprotocol=https\nhost=git.example:8443\npath=a/b\n\
     wwwauth[]=Bearer realm=\"x=y\"\n",
    "git get\nprotocol=https\nhost=[::1]:8\nusername=ann=b\n",
    "git erase\nprotocol=https\nhost=git.example\npassword={SECRET}\n",
    "git capability\n",
    "docker get\nhttps://r.example:5000/v1/\n",
    "docker get\nr.example:5000\n",
    "docker store\n{\"ServerURL\":\"https://r.example\",\"Secret\":\"{SECRET}\"}",
    "bazel get\n{\"uri\":\"https://x.example/a\",\"more\":[1]}",
    "kubernetes\n{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\
     \"kind\":\"ExecCredential\"}",
];

pub(super) const TOKENS: &[&str] =
    &["cisco\neyJ.a-b_c~d+e/f==", "my-lake\nit's $HOME`x`\\\"#!*", "a\"b\n''\\\\\\''"];

pub(super) const CALLBACK_REQUESTS: &[&str] = &[
    "GET {START} HTTP/1.1\r\nHost: 127.0.0.1:8400\r\nSec-Fetch-Mode: navigate\r\n\r\n\0\
     GET /callback?x=y&z=1 HTTP/1.1\r\nHost: 127.0.0.1:8400\r\n\r\n\0\
     POST {PAGE} HTTP/1.1\r\nHost: 127.0.0.1:8400\r\nOrigin: http://127.0.0.1:8400\r\n\
     Sec-Fetch-Site: same-origin\r\nContent-Type: application/vnd.gatepass.answer\r\n\
     Content-Length: 18\r\n\r\n?x=y#token={SECRET}",
    "GET http://evil.example/callback?x=y HTTP/1.1\r\nHost: evil.example\r\n\r\n\0\
     GET /callback?x=y HTTP/1.1\nHost: 127.0.0.1:8400\nSec-Purpose: prefetch\n\n",
    "GET /callback?x=y HTTP/1.1\r\nHost: 127.0.0.1:8400\r\n\r\n\0\
     POST {PAGE} HTTP/1.1\r\nHost: 127.0.0.1:8400\r\nOrigin: http://127.0.0.1:8400\r\n\
     Content-Type: application/vnd.gatepass.answer\r\nTransfer-Encoding: chunked\r\n\r\n\
     4\r\n#a=b\r\n0\r\n\r\n\0POST {PAGE} HTTP/1.1\r\nHost: 127.0.0.1:8400\r\n\
     Origin: null\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx",
];

pub(super) const ADDED: &[&str] = &[
    "cisco\ncisco-2\nenvironment=id\nclient_id=a\"b\nclient_secret:={SECRET}\n\n# mine\r\n[profiles.a]\r\n\
     provider = \"cisco\" # one\r\nenvironment = \"id\"\r\nclient_id = \"x\"\r\n",
    "huawei!\niam.x\ndomain=a.example\nclient_id=a\nclient_secret:=b\nkeep_warm=true\n\n\
     [profiles.\"iam.x\"]\nprovider = \"huawei\"\napi_origins = [\n  \"[no]\", # kept?\n]\n\
     [profiles.\"iam.x\".client_secret]\nenv = \"f\"\n# about b\n\n[profiles.b]\nx = '''2'''\n",
    "celerdata!\nlake\nclient_id=a\nclient_secret:=b\n\nprofiles.lake.client_id = \"x\"",
    "cloudneeti!\na\nlicense_id=a\napi_application_id=b\nsecret:=c\n\n\
     [profiles]\na = { client_id = \"x\" }\n",
    "configapi\nc\nhost=x.example\nclient_id=a\nclient_secret:=b\n\n",
];

pub(super) const REPEATED: &[&str] = &[
    "pa ss+wordy/tail\nyou sent {SECRET} to us",
    "q\"uo\\te\"d-se&cr=et\nclient_secret={SECRET}&x=1 and id:{SECRET}",
    "zus\u{e4}tzlich-geheim\n{SECRET}{SECRET}",
    "s3cr3t-0f-0urs!\nlong long long long long long long long long long long long long long long \
     long long long long long long long long long long long long long {SECRET} long long",
];

pub(super) const TERMINAL_TEXT: &[&str] = &[
    " {\"b\":[1.50,{ },[ ]],\"a\\\"\":\"x: {y, \\\\\", \"n\":12345678901234567890123} ",
    "{\"exp\":1800000000,\"iat\":-1,\"nbf\":1e300,\"sub\":\"a\u{9b}31m\u{202e}\u{7f}\"}",
    "read write:a/b \u{1b}[2J",
];

pub(super) const ARGUMENTS: &[&str] = &[
    "cisco\ntimeout=9s\n1h30m\ncisco:status-503*3,retry_after=7",
    "huawei\nkeep_warm=true\nPT5M\nbody-cut,on=both,bytes=7",
    "cloudneeti\nbase_url=https://evil.example\n90s\n*1",
    "celerdata\nscope=a b\nclient_auth=body",
    "configapi\nhost=evil.example\nlifetime=5 minutes 3.5s",
];
