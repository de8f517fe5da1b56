//! What Python is told of objects: the dataclasses of `objseal._model`.

use objseal::Engine;
use objseal::envelope::{
    Attributes, ChecksumAlgorithm, ChecksumType, Completed, Content, Digests, Head, KeyKind, Part, Receipt, Selection,
};
use objseal::file::{Info, SlotState};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

fn make<'py>(py: Python<'py>, class: &str, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    py.import("objseal._model")?.getattr(class)?.call((), Some(fields))
}

fn head_fields<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("object_id", PyBytes::new(py, head.object_id.as_bytes()))?;
    let context = PyDict::new(py);
    head.context.iter().try_for_each(|(key, value)| context.set_item(key, value))?;
    fields.set_item("context", context)?;
    fields.set_item("bound_keys", &head.bound_keys)?;
    fields.set_item("generation", head.generation)?;
    fields.set_item("layers", head.layers())?;
    fields.set_item("suites", head.suites.iter().map(|suite| suite.name()).collect::<Vec<_>>())?;
    let keys = head.wrapped_keys.iter().map(|key| {
        let entry = PyDict::new(py);
        entry.set_item("layer", key.layer)?;
        entry.set_item("service", &key.service)?;
        entry.set_item("key_id", &key.key_id)?;
        entry.set_item("version", key.key_version)?;
        entry.set_item("kind", kind_name(key.kind))?;
        make(py, "WrappedKey", &entry)
    });
    fields.set_item("keys", keys.collect::<PyResult<Vec<_>>>()?)?;
    let content = match head.content {
        Content::Body { .. } => "body",
        Content::Parts { sealed: Some(_), .. } => "parts",
        Content::Parts { .. } => "parts with a table apart",
        _ => "unknown",
    };
    fields.set_item("content", content)?;
    Ok(fields)
}

/// The names of checksum types.
pub(crate) const FULL_OBJECT: &str = "full_object";
pub(crate) const COMPOSITE: &str = "composite";

fn kind_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Local => "local",
        KeyKind::Object => "object",
        KeyKind::Shared => "shared",
        KeyKind::Customer => "customer",
        _ => "unknown",
    }
}

fn slots_name(slots: SlotState) -> &'static str {
    match slots {
        SlotState::Same => "same",
        SlotState::Damaged { .. } => "one damaged",
        _ => "one older",
    }
}

fn digests<'py>(py: Python<'py>, digests: &Digests) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    digests.iter().try_for_each(|(algorithm, value)| found.set_item(algorithm.name(), PyBytes::new(py, value)))?;
    Ok(found)
}

fn put_attributes(fields: &Bound<'_, PyDict>, attributes: &Attributes) -> PyResult<()> {
    fields.set_item("digests", digests(fields.py(), &attributes.digests)?)?;
    fields.set_item("composite_digests", digests(fields.py(), &attributes.composite)?)?;
    let checksum_type = attributes.checksum_type.map(|checksum_type| match checksum_type {
        ChecksumType::Composite => COMPOSITE,
        _ => FULL_OBJECT,
    });
    fields.set_item("checksum_type", checksum_type)?;
    fields.set_item("etag", attributes.etag.as_deref())
}

/// What a head says, and what is known besides. Nobody has verified it.
pub(crate) fn facts(py: Python<'_>, head: &Head, length: Option<u64>, slots: Option<SlotState>) -> PyResult<Py<PyAny>> {
    let fields = head_fields(py, head)?;
    fields.set_item("length", length)?;
    fields.set_item("slots", slots.map(slots_name))?;
    Ok(make(py, "Facts", &fields)?.unbind())
}

/// What is known of an object that was sealed or opened.
pub(crate) fn info(
    py: Python<'_>,
    head: &Head,
    attributes: Option<&Attributes>,
    engines: &[Engine],
    slots: Option<SlotState>,
) -> PyResult<Py<PyAny>> {
    let fields = head_fields(py, head)?;
    fields.set_item("length", attributes.map(|attributes| attributes.plaintext_len))?;
    fields.set_item("slots", slots.map(slots_name))?;
    fields.set_item("engines", engines.iter().map(|engine| engine.name()).collect::<Vec<_>>())?;
    put_attributes(&fields, attributes.unwrap_or(&Attributes::default()))?;
    Ok(make(py, "Info", &fields)?.unbind())
}

/// The same of a file.
pub(crate) fn of_file(py: Python<'_>, file: &Info) -> PyResult<Py<PyAny>> {
    info(py, file.envelope.head(), Some(&file.attributes), &file.engines, Some(file.slots))
}

/// A part of an object. `checksum` is what its digest is made by, if it has one.
pub(crate) fn part<'py>(
    py: Python<'py>,
    part: &Part,
    checksum: Option<ChecksumAlgorithm>,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("number", part.number)?;
    fields.set_item("start", part.plaintext.start)?;
    fields.set_item("length", part.len())?;
    fields.set_item("stored_length", part.stored_len())?;
    fields.set_item("salts", part.salts.iter().map(|salt| PyBytes::new(py, salt)).collect::<Vec<_>>())?;
    let digests = PyDict::new(py);
    checksum.map_or(Ok(()), |checksum| digests.set_item(checksum.name(), PyBytes::new(py, &part.checksum)))?;
    fields.set_item("digests", digests)?;
    make(py, "Part", &fields)
}

/// A receipt, and how it is stored.
pub(crate) fn receipt(py: Python<'_>, receipt: &Receipt, stored: &[u8]) -> PyResult<Py<PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("number", receipt.number)?;
    fields.set_item("length", receipt.attributes.plaintext_len)?;
    fields.set_item("etag", receipt.attributes.etag.as_deref().unwrap_or_default())?;
    fields.set_item("digests", digests(py, &receipt.attributes.digests)?)?;
    fields.set_item("salts", receipt.salts.iter().map(|salt| PyBytes::new(py, salt)).collect::<Vec<_>>())?;
    fields.set_item("stored", PyBytes::new(py, stored))?;
    Ok(make(py, "Receipt", &fields)?.unbind())
}

/// A completed upload.
pub(crate) fn completed(
    py: Python<'_>,
    completed: &Completed,
    selection: &Selection,
    attributes: &Attributes,
) -> PyResult<Py<PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("head", PyBytes::new(py, &completed.head))?;
    fields.set_item("table", completed.table.as_ref().map(|table| PyBytes::new(py, table)))?;
    fields.set_item("chosen", &selection.receipts)?;
    fields.set_item("length", attributes.plaintext_len)?;
    put_attributes(&fields, attributes)?;
    Ok(make(py, "Completed", &fields)?.unbind())
}
