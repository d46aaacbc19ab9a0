//! Values of fields that are not stored but follow from the row and its list.

use model::Value;

use crate::rows::Row;

pub(super) fn id(row: &Row<'_>) -> Option<Value> {
    Some(row.occurrence().map_or_else(|| Value::I32(row.number() as i32), Value::text))
}

pub(super) fn title(row: &Row<'_>) -> Option<Value> {
    row.stored("Title")
}

pub(super) fn content_type_id(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(row.content_type_id()))
}

pub(super) fn content_type(row: &Row<'_>) -> Option<Value> {
    Some(Value::text(row.content_type_name()))
}

pub(super) fn no(_: &Row<'_>) -> Option<Value> {
    Some(Value::Bool(false))
}

pub(super) fn yes(_: &Row<'_>) -> Option<Value> {
    Some(Value::Bool(true))
}

pub(super) fn none(_: &Row<'_>) -> Option<Value> {
    None
}

/// Approved where nobody has to.
pub(super) fn moderation_status(row: &Row<'_>) -> Option<Value> {
    Some(Value::I32(crate::moderation::status(row)))
}

pub(super) fn one(_: &Row<'_>) -> Option<Value> {
    Some(Value::I32(1))
}

pub(super) fn zero_text(_: &Row<'_>) -> Option<Value> {
    Some(Value::text("0"))
}

pub(super) fn nothing_text(_: &Row<'_>) -> Option<Value> {
    Some(Value::text(""))
}

pub(super) fn attachments(row: &Row<'_>) -> Option<Value> {
    Some(Value::Bool(!row.attachments().is_empty()))
}

/// A major version is 512 steps.
pub(super) fn ui_version(row: &Row<'_>) -> Option<Value> {
    Some(Value::I32(row.major_version().saturating_mul(512)))
}

pub(super) fn ui_version_string(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(format!("{}.0", row.major_version())))
}

pub(super) fn order(row: &Row<'_>) -> Option<Value> {
    Some(row.stored("Order").unwrap_or_else(|| Value::F64(f64::from(row.number()) * 100.0)))
}

pub(super) fn unique_id(row: &Row<'_>) -> Option<Value> {
    row.stored("UniqueId")
}

pub(super) fn file_ref(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(row.file_ref()))
}

pub(super) fn file_dir_ref(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(row.file_dir_ref()))
}

pub(super) fn leaf_name(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(row.leaf_name()))
}

pub(super) fn base_name(row: &Row<'_>) -> Option<Value> {
    let leaf = row.leaf_name();
    let cut = if row.is_folder() { None } else { leaf.rsplit_once('.').map(|(stem, _)| stem.to_owned()) };
    Some(Value::Text(cut.unwrap_or(leaf)))
}

pub(super) fn file_type(row: &Row<'_>) -> Option<Value> {
    if row.is_folder() || !row.is_file() {
        return None;
    }
    row.leaf_name().rsplit_once('.').map(|(_, extension)| Value::Text(extension.to_lowercase()))
}

pub(super) fn doc_icon(row: &Row<'_>) -> Option<Value> {
    file_type(row)
}

pub(super) fn modified(row: &Row<'_>) -> Option<Value> {
    row.stored("Modified")
}

pub(super) fn created(row: &Row<'_>) -> Option<Value> {
    row.stored("Created")
}

/// 0 an item or a file, 1 a folder.
pub(super) fn fs_obj_type(row: &Row<'_>) -> Option<Value> {
    Some(Value::I32(i32::from(row.is_folder())))
}

pub(super) fn perm_mask(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(format!("{:#x}", row.rights_mask())))
}

pub(super) fn scope_id(row: &Row<'_>) -> Option<Value> {
    Some(Value::Guid(row.list.scope_id))
}

pub(super) fn server_url(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(format!("/{}", row.file_ref())))
}

pub(super) fn encoded_abs_url(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(crate::paths::absolute(&row.list.host_url, &row.file_ref())))
}

pub(super) fn meta_info(row: &Row<'_>) -> Option<Value> {
    Some(Value::Text(row.meta_info_text()))
}

pub(super) fn file_size(row: &Row<'_>) -> Option<Value> {
    row.stored("File_x0020_Size")
}

pub(super) fn url(row: &Row<'_>) -> Option<Value> {
    row.stored("URL")
}
