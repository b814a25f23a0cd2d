//! Tests of formats with Python clients: Kubernetes, AWS and a .env reader.

use gatepass_tests::{Reply, Run, python};

use super::{HOSTILE, Setup};

#[test]
fn kubernetes_client_sends_the_token() {
    for version in ["v1", "v1beta1"] {
        let setup = Setup::new("cisco", |_| {
            let names = "{\"kind\":\"NamespaceList\",\"apiVersion\":\"v1\",\"items\":[]}";
            Reply::json(200, names)
        });
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: x\n\
             clusters: [{{name: x, cluster: {{server: \"{}\"}}}}]\n\
             contexts: [{{name: x, context: {{cluster: x, user: x}}}}]\n\
             users: [{{name: x, user: {{exec: {{apiVersion: client.authentication.k8s.io/{version}, \
             command: gatepass, args: [token, cisco, --format, kubernetes], \
             interactiveMode: Never}}}}}}]\n",
            setup.server.url()
        );
        setup.home.write("kubeconfig", &config);
        let run = script(
            &setup,
            "from kubernetes import client, config\n\
             config.load_kube_config(config_file='../kubeconfig')\n\
             print(len(client.CoreV1Api().list_namespace().items))\n",
        );
        assert_eq!(run.ok(), "0\n");
        let requests = setup.api_requests();
        let [request] = requests.as_slice() else { panic!("{requests:#?}") };
        assert_eq!(request.path(), "/api/v1/namespaces");
        assert_eq!(request.header("authorization"), Some("Bearer token-1"), "{version}");
    }
}

#[test]
fn botocore_sends_the_session_token() {
    let setup = Setup::hostile("cisco", |_| {
        Reply::new(200, "application/xml", "<ListAllMyBucketsResult></ListAllMyBucketsResult>")
    });
    let config = "[profile x]\ncredential_process = gatepass token cisco --format aws\n";
    setup.home.write(".aws/config", config);
    let run = script(
        &setup,
        "import botocore.session, os\n\
         session = botocore.session.Session(profile='x')\n\
         s3 = session.create_client('s3', endpoint_url=os.environ['URL'], region_name='x')\n\
         print(s3.list_buckets()['ResponseMetadata']['HTTPStatusCode'])\n\
         print(session.get_credentials().refresh_needed(refresh_in=0))\n\
         print(session.get_credentials().refresh_needed(refresh_in=3600))\n",
    );
    assert_eq!(run.ok(), "200\nFalse\nTrue\n");
    let requests = setup.api_requests();
    let [request] = requests.as_slice() else { panic!("{requests:#?}") };
    assert_eq!(request.header("x-amz-security-token"), Some(HOSTILE));
    let signed = request.header("authorization").unwrap();
    assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=cisco/"), "{signed}");
    assert!(!signed.contains(HOSTILE));
}

#[test]
fn dotenv_reader_reads_the_exact_token() {
    for token in ["eyJ.a-b_c~d+e/f==", "a\"b$c`d#e"] {
        let setup = Setup::with_tokens("cisco", move || token.to_owned(), |_| Reply::empty(404));
        let run = script(
            &setup,
            "import subprocess, io, dotenv\n\
             text = subprocess.check_output(['gatepass', 'token', 'cisco', '--format', 'dotenv'])\n\
             print(dotenv.dotenv_values(stream=io.StringIO(text.decode()))['GATEPASS_TOKEN'])\n",
        );
        assert_eq!(run.ok(), format!("{token}\n"));
    }
}

fn script(setup: &Setup, script: &str) -> Run {
    setup.program(python().to_str().unwrap(), ["-c", script]).run()
}
