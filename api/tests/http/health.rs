//! Health and documents.

use crate::support::Fixture;

#[tokio::test]
async fn a_service_is_ready_only_while_store_and_bus_answer_and_says_which_does_not() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.get("/readyz").await.status, 200);
    fixture.bus.unreachable(true);
    let answer = fixture.get("/readyz").await;
    let problem = answer.problem(503, "not_ready");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("bus.test:4222") && !detail.contains("db.test"), "{detail}");
    fixture.store.away(true);
    let problem = fixture.get("/readyz").await.problem(503, "not_ready");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("bus.test:4222") && detail.contains("db.test:5432"), "{detail}");
    assert_eq!(fixture.get("/healthz").await.status, 200, "the process lives all the same");
    fixture.bus.unreachable(false);
    fixture.store.away(false);
    assert_eq!(fixture.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn the_documents_are_served() {
    let fixture = Fixture::start().await;
    let served = fixture.get("/openapi.json").await;
    assert_eq!(served.body, orcaops_api::openapi_document().as_bytes());
    assert_eq!(served.header("content-type"), "application/json");
    for path in ["/docs", "/redoc"] {
        let page = fixture.get(path).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
    }
}
