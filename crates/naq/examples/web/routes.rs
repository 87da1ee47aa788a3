//! What the service answers.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{Stream, StreamExt};
use naq::{JobId, JobNews, JobStatus, Jobs, JobsError, JobsErrorKind, Status, Unique};
use serde_json::{Value, json};

use tokio::sync::watch;

use super::page;
use super::{PAYMENT, Payment, REPORT};

/// How soon a browser connects again whose stream has ended too early.
const RETRY: Duration = Duration::from_secs(1);

/// The routes. Streams that are open end when it is `closing`; browsers then connect again by themselves.
pub(crate) fn all(jobs: Jobs, closing: watch::Receiver<bool>) -> Router {
    Router::new()
        .merge(page::routes())
        .route("/reports", post(create))
        .route("/reports/{id}", get(status).delete(cancel))
        .route(
            "/reports/{id}/events",
            get(|jobs, id| events(jobs, id, closing)),
        )
        .route("/reports/{id}/file", get(file))
        .route("/hooks/payment", post(payment))
        .with_state(jobs)
}

/// The uploaded table is the body.
async fn create(State(jobs): State<Jobs>, table: String) -> Result<Response, Problem> {
    let job = jobs.enqueue(REPORT.job(&table)?).await?;
    let answer = json!({ "id": job.id().as_str() });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

async fn status(State(jobs): State<Jobs>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let status = known(&jobs, &job_id(id)?).await?;
    let error = match &status {
        JobStatus::Ended { outcome, .. } => outcome.as_ref().and_then(|o| o.error.as_ref()),
        _ => None,
    };
    let error = error.map(|error| &error.message);
    Ok(Json(json!({ "status": status.word(), "error": error })))
}

async fn cancel(State(jobs): State<Jobs>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let report = jobs
        .cancel(&job_id(id)?)
        .reason("cancelled by the user")
        .grace(Duration::ZERO)
        .await?;
    Ok(Json(json!({ "cancelled": report.is_cancelled() })))
}

/// Each progress, then how it ended. A page that is opened late, or again, is told what was said before.
async fn events(
    State(jobs): State<Jobs>,
    Path(id): Path<String>,
    mut closing: watch::Receiver<bool>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, Problem> {
    let id = job_id(id)?;
    known(&jobs, &id).await?;
    let news = jobs.watch(&id).filter_map(async |news| match news {
        Ok(JobNews::Progress(progress)) => {
            Some(Event::default().event("progress").json_data(progress))
        }
        Ok(JobNews::End(outcome)) => {
            let error = outcome.error.as_ref().map(|error| &error.message);
            let end = Event::default().event(outcome.status.as_str());
            Some(end.json_data(json!({ "attempt": outcome.attempt, "error": error })))
        }
        Ok(_) => None,
        Err(error) => Some(Err(axum::Error::new(error))),
    });
    let closed = async move { drop(closing.wait_for(|is_closing| *is_closing).await) };
    let first = futures::stream::iter([Ok(Event::default().retry(RETRY))]);
    let news = first.chain(news).take_until(closed);
    Ok(Sse::new(news).keep_alive(KeepAlive::default()))
}

async fn file(State(jobs): State<Jobs>, Path(id): Path<String>) -> Result<Response, Problem> {
    let outcome = jobs.results().find(&job_id(id)?).await?;
    let done = outcome.filter(|outcome| outcome.status == Status::Completed);
    let done = done.ok_or_else(|| Problem(StatusCode::NOT_FOUND, "there is no file".to_owned()))?;
    let text: String = done.into_result()?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=report.csv",
        ),
    ];
    Ok((headers, text).into_response())
}

/// The same payment, told again within a day, is the same job.
async fn payment(
    State(jobs): State<Jobs>,
    Json(payment): Json<Payment>,
) -> Result<Json<Value>, Problem> {
    let day = Duration::from_secs(24 * 3600);
    let job = PAYMENT.job(&payment)?;
    let job = job.unique(Unique::key(payment.id).within(day));
    let job = jobs.enqueue(job).await?;
    let answer = json!({ "id": job.id().as_str(), "is_new": !job.is_existing() });
    Ok(Json(answer))
}

fn job_id(text: String) -> Result<JobId, Problem> {
    JobId::new(text).map_err(|error| Problem(StatusCode::BAD_REQUEST, error.to_string()))
}

async fn known(jobs: &Jobs, id: &JobId) -> Result<JobStatus, Problem> {
    match jobs.status(id).await? {
        JobStatus::Unknown => Err(Problem(
            StatusCode::NOT_FOUND,
            format!("there is no job {id}"),
        )),
        status => Ok(status),
    }
}

struct Problem(StatusCode, String);

impl From<JobsError> for Problem {
    fn from(error: JobsError) -> Self {
        let code = match error.kind() {
            JobsErrorKind::NotFound => StatusCode::NOT_FOUND,
            JobsErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            JobsErrorKind::InvalidName | JobsErrorKind::InvalidPayload => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(code, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
