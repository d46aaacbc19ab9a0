//! Batches.

use http::StatusCode;

use super::TASKS;
use crate::tests::Server;

#[tokio::test]
async fn each_request_has_its_answer() {
    let server = Server::start().await;
    let site = "http://h:8080/sites/team/_api";
    let get = |url: &str| {
        format!(
            "--b\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\nGET {url} HTTP/1.1\naccept: application/json\n\n\n"
        )
    };
    let add = |title: &str| {
        format!(
            "--c\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\nPOST {site}/{TASKS}/items HTTP/1.1\n\
             accept: application/json\ncontent-type: application/json\n\n{{\"Title\":\"{title}\"}}\n\n"
        )
    };
    let body = format!(
        "{}--b\nContent-Type: multipart/mixed; boundary=c\n\n{}{}--c--\n\n{}{}{}{}--b--\n",
        get(&format!("{site}/web?$select=Title")),
        add("one"),
        add("two"),
        get(&format!("{site}/web/lists/getbytitle('No such')")),
        get("http://h:8080/sites/other/_api/web"),
        get(&format!("{site}/$batch")),
        get(&format!("/sites/team/_api/{TASKS}/items?$select=Title&$filter=Title eq 'two'")),
    );
    for body in [body.clone(), body.replace('\n', "\r\n")] {
        let headers = [("content-type", "multipart/mixed; boundary=\"b\"")];
        let reply = server.send("POST", "$batch", &headers, &body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        let statuses: Vec<&str> =
            reply.body.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()).collect();
        assert_eq!(statuses, ["200", "201", "201", "404", "404", "404", "200"]);
        assert!(reply.body.contains("\"Title\":\"Team\"") && reply.body.contains("ETAG: \""), "{}", reply.body);
        let content_type = reply.headers["content-type"].to_str().unwrap();
        let mark = content_type.strip_prefix("multipart/mixed; boundary=").unwrap();
        assert!(mark.starts_with("batchresponse_") && reply.body.ends_with(&format!("--{mark}--\r\n")));
    }
}

#[tokio::test]
async fn what_is_no_batch() {
    let server = Server::start().await;
    for (content_type, body) in [
        ("application/json", "{}"),
        ("multipart/mixed", "--b\n\nGET /x HTTP/1.1\n\n--b--"),
        ("multipart/mixed; boundary=b", ""),
        ("multipart/mixed; boundary=b", "--b--"),
        ("multipart/mixed; boundary=b", "--b\n\nnonsense\n--b--"),
        ("multipart/mixed; boundary=b", "--b\nContent-Type: application/http\n\nGET /x HTTP/1.1\nbad name: x\n\n--b--"),
    ] {
        let reply = server.send("POST", "$batch", &[("content-type", content_type)], body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(reply.body.contains("odata.error"), "{}", reply.body);
    }
}
