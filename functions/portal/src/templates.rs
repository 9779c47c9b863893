//! The catalogue of managed-secret templates.

use alter_api_types::portal::{Page, TemplateView};
use alter_domain::{Error, Result, catalogue, repo::Listed};
use axum::Json;

use crate::{
    access::{Operator, Read},
    extract::{Named, PageParams, Params, Slug, limit},
    view,
};

/// List templates
#[utoipa::path(get, path = "/portal/v1/templates", tag = "templates", params(PageParams),
    operation_id = "list_templates", responses((status = 200, body = Page<TemplateView>)))]
pub(crate) async fn list(
    _: Operator<Read>,
    Params(params): Params<PageParams>,
) -> Result<Json<Page<TemplateView>>> {
    let limit = limit(params.limit.as_deref())?;
    // The list is ordered by slug, so the last slug of a page is its cursor.
    let after = params.cursor.unwrap_or_default();
    let mut rest = catalogue::templates().iter().filter(|template| template.slug > after).peekable();
    let items: Vec<_> = rest.by_ref().take(limit).collect();
    let next = rest.peek().and(items.last()).map(|template| template.slug.clone());
    Ok(Json(view::page(Listed { items, next }, view::template)))
}

/// One template
#[utoipa::path(get, path = "/portal/v1/templates/{slug}", tag = "templates", operation_id = "get_template",
    responses((status = 200, body = TemplateView)))]
pub(crate) async fn get(_: Operator<Read>, Named(slug): Named<Slug>) -> Result<Json<TemplateView>> {
    let template = catalogue::template(&slug.0).ok_or(Error::NotFound("template"))?;
    Ok(Json(view::template(template)))
}
