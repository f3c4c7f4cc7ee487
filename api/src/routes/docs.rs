//! `/openapi.json`, and `/docs`: the same for people. Swagger UI is compiled in, so that the page needs no internet.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::Config;

use crate::error::ApiError;
use crate::query::Path;
use crate::state::State;

/// What the page may load: itself. Swagger UI sets styles on its elements and draws its icons as data.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("/openapi.json").try_it_out_enabled(true).persist_authorization(true)));

/// The documented part.
pub fn router() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(document))
}

/// The page.
pub fn pages() -> Router<State> {
    Router::new()
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(|| file(Path(String::new()))))
        .route("/docs/{*file}", get(file))
}

/// This description
#[utoipa::path(
    get, path = "/openapi.json", tag = "health", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
async fn document(Shared(state): Shared<State>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], state.document.get().cloned().unwrap_or_default())
}

async fn file(Path(file): Path<String>) -> Response {
    match utoipa_swagger_ui::serve(&file, Arc::clone(&CONFIG)) {
        Ok(Some(found)) => {
            let kind = HeaderValue::from_str(&found.content_type)
                .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
                (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
                (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ];
            (StatusCode::OK, headers, found.bytes.into_owned()).into_response()
        }
        Ok(None) => ApiError::not_found("There is no such page.").into_response(),
        Err(error) => ApiError::internal(error).into_response(),
    }
}
