//! Changing a list, its fields and views above all: what SOAP and REST share.

use std::sync::atomic::{AtomicBool, Ordering};

use engine::{EngineError, INDEXES_MAX, list_keys, set_indexes};
use model::{Bag, Guid, Value, limits};
use xml::Node;

use crate::{
    code::{Code, Failure},
    context::Context,
    fields::{CUSTOM_FIELDS_MAX, FIELD_NAME_CHARS_MAX, Field, INDEXED, bag_keys, custom_fields, truth},
    schema::{List, field_xml},
    views::{self, FieldsEdit, ListView, ViewEdit},
};

/// A list while it is being changed. Nothing is stored before [`ListDraft::write`].
pub(crate) struct ListDraft {
    list: List,
    lists: Lists,
    steps: Vec<Step>,
    /// The version that the client means.
    version: Option<i32>,
}

/// What the list stores about its fields and views.
struct Lists {
    custom: Vec<Field>,
    views: Vec<ListView>,
    /// The views are no longer those that stand in the bag.
    views_changed: bool,
}

/// One change.
enum Step {
    Add(Field),
    Replace(Field),
    /// Shows a field in a view, the default view where none is named.
    Show {
        field: String,
        view: Option<Guid>,
    },
    Remove(String),
    AddView(Box<ListView>),
    EditView(Guid, Box<ViewEdit>),
    EditFields(Guid, FieldsEdit),
    DropView(Guid),
}

impl Lists {
    fn of(bag: &Bag) -> Self {
        Self { custom: custom_fields(bag), views: views::of_bag(bag), views_changed: false }
    }

    /// Does one change; one that somebody else did meanwhile is done already.
    fn apply(&mut self, step: &Step) {
        let at = |name: &str| self.custom.iter().position(|field| field.name == name);
        match step {
            Step::Add(field) => {
                if at(&field.name).is_none() {
                    self.custom.push(field.clone());
                }
            }
            Step::Replace(field) => match at(&field.name).and_then(|at| self.custom.get_mut(at)) {
                Some(slot) => *slot = field.clone(),
                None => self.custom.push(field.clone()),
            },
            Step::Show { field, view } => {
                let shows = |own: &&mut ListView| view.map_or(own.default, |view| own.id == view);
                if let Some(view) = self.views.iter_mut().find(shows).filter(|view| !view.fields.contains(field)) {
                    view.fields.push(field.clone());
                    self.views_changed = true;
                }
            }
            Step::Remove(name) => {
                self.custom.retain(|field| field.name != *name);
                for view in &mut self.views {
                    let shown = view.fields.len();
                    view.fields.retain(|other| other != name);
                    self.views_changed |= view.fields.len() != shown;
                }
            }
            Step::AddView(view) => {
                if view.default {
                    self.views.iter_mut().for_each(|other| other.default = false);
                }
                self.views.push(view.as_ref().clone());
                self.views_changed = true;
            }
            Step::EditView(id, edit) => {
                if edit.default && self.views.iter().any(|view| view.id == *id) {
                    self.views.iter_mut().for_each(|other| other.default = false);
                }
                self.views.iter_mut().filter(|view| view.id == *id).for_each(|view| view.apply(edit));
                self.views_changed = true;
            }
            Step::EditFields(id, edit) => {
                self.views.iter_mut().filter(|view| view.id == *id).for_each(|view| view.edit_fields(edit));
                self.views_changed = true;
            }
            Step::DropView(id) => {
                self.views.retain(|view| view.id != *id || view.default);
                self.views_changed = true;
            }
        }
    }

    /// The fields in whose order rows can be read. The order of `ID` needs no index.
    fn indexed(&self) -> Vec<&str> {
        let indexed = self.custom.iter().filter(|field| field.is_indexed() && field.name != "ID");
        indexed.map(|field| &*field.name).collect()
    }

    fn write(&self, bag: &mut Bag) {
        let put = |bag: &mut Bag, key, texts: Vec<String>| {
            bag.put(key, (!texts.is_empty()).then_some(Value::Texts(texts)));
        };
        put(bag, bag_keys::FIELDS, self.custom.iter().map(field_xml).collect());
        if self.views_changed {
            views::store(bag, &self.views);
        }
        set_indexes(bag, &self.indexed());
    }
}

impl ListDraft {
    /// A list as it is.
    pub(crate) fn new(list: List) -> Self {
        Self { lists: Lists::of(&list.collection.bag), steps: Vec::new(), version: None, list }
    }

    /// The client means the version that the list had when it was read.
    pub(crate) fn guard(&mut self) {
        self.version = Some(self.list.collection.version());
    }

    fn find(&self, name: &str) -> Option<&Field> {
        self.lists.custom.iter().find(|field| field.name == name).or_else(|| self.list.field(name))
    }

    fn step(&mut self, step: Step) {
        self.lists.apply(&step);
        self.steps.push(step);
    }

    /// Adds the field of a `Field` element, and to a view too where `show` says so: `Some(None)` is the default view.
    /// Its name gets a digit where it is taken; `id` stands in where its own is missing or taken.
    ///
    /// # Errors
    /// [`Failure::Coded`] for an element without a usable name or type, for an index that cannot be, and past the bounds.
    pub(crate) fn add(&mut self, node: Node<'_>, show: Option<Option<Guid>>, id: Guid) -> Result<Field, Failure> {
        if self.lists.custom.len() >= CUSTOM_FIELDS_MAX {
            return Err(Failure::bad_value("The list has too many fields."));
        }
        if let Some(Some(view)) = show
            && !self.lists.views.iter().any(|own| own.id == view)
        {
            return Err(Failure::coded(Code::NO_VIEW, "The specified view is invalid."));
        }
        let mut field =
            Field::from_node(node, id).ok_or_else(|| Failure::bad_value("The field has no usable name or type."))?;
        field.name = free_name(&field.name, |name| self.find(name).is_some()).into();
        if self.list.field_by_id(field.id).is_some() || self.lists.custom.iter().any(|other| other.id == field.id) {
            field.id = id;
        }
        self.check_index(&field)?;
        self.step(Step::Add(field.clone()));
        if let Some(view) = show {
            self.step(Step::Show { field: field.name.to_string(), view });
        }
        Ok(field)
    }

    /// Adds a field that a template has; its name must not be in use.
    ///
    /// # Errors
    /// [`Failure::Coded`] past the bounds.
    pub(crate) fn add_known(&mut self, mut field: Field) -> Result<(), Failure> {
        if self.lists.custom.len() >= CUSTOM_FIELDS_MAX {
            return Err(Failure::bad_value("The list has too many fields."));
        }
        field.custom = true;
        field.base = false;
        self.step(Step::Add(field));
        Ok(())
    }

    /// Shows a field of the list in the default view.
    pub(crate) fn show(&mut self, field: &Field) {
        self.step(Step::Show { field: field.name.to_string(), view: None });
    }

    /// Changes the field that a `Field` element names to what the element says. A field of the template keeps its type.
    ///
    /// # Errors
    /// [`Failure::Coded`] where there is none, and for an index that cannot be.
    pub(crate) fn change(&mut self, node: Node<'_>) -> Result<Field, Failure> {
        let name = node.attribute("Name").unwrap_or_default();
        let old = self.find(name).cloned().ok_or_else(|| no_field(name))?;
        let mut field = old.clone();
        if let Some(new) = Field::from_node(node, old.id) {
            field = Field { name: old.name.clone(), id: old.id, compute: old.compute, base: old.base, ..new };
            if !old.custom {
                field.kind = old.kind;
                field.read_only = old.read_only;
            }
        } else if let Some(display) = node.attribute("DisplayName") {
            field.display = display.to_owned().into();
        }
        match node.attribute(INDEXED) {
            Some(indexed) => field.set_indexed(truth(Some(indexed))),
            // What costs much to make goes only where the client says so, or where it cannot stay.
            None => field.set_indexed(old.is_indexed() && field.can_be_indexed()),
        }
        self.replace(field)
    }

    /// Changes a field.
    ///
    /// # Errors
    /// [`Failure::Coded`] where there is none of that name, and for an index that cannot be.
    pub(crate) fn edit(&mut self, name: &str, change: impl FnOnce(&mut Field)) -> Result<Field, Failure> {
        let mut field = self.find(name).cloned().ok_or_else(|| no_field(name))?;
        change(&mut field);
        self.replace(field)
    }

    fn replace(&mut self, field: Field) -> Result<Field, Failure> {
        self.check_index(&field)?;
        self.step(Step::Replace(field.clone()));
        Ok(field)
    }

    /// Whether a field may be indexed, where it is to be.
    fn check_index(&self, field: &Field) -> Result<(), Failure> {
        if !field.is_indexed() {
            return Ok(());
        }
        if !field.can_be_indexed() {
            return Err(Failure::bad_value(format!("The field {} cannot be indexed.", field.name)));
        }
        let others = self.lists.indexed().into_iter().filter(|name| *name != field.name).count();
        if field.name != "ID" && others >= INDEXES_MAX {
            return Err(Failure::bad_value(format!("A list has at most {INDEXES_MAX} indexes.")));
        }
        Ok(())
    }

    /// Removes a field that was added.
    ///
    /// # Errors
    /// [`Failure::Coded`] where there is none, and for a field of the template.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), Failure> {
        if self.list.template.list_fields().iter().any(|field| field.name == name) {
            return Err(Failure::bad_value(format!("The field {name} cannot be deleted.")));
        }
        if !self.lists.custom.iter().any(|field| field.name == name) {
            return Err(no_field(name));
        }
        self.step(Step::Remove(name.to_owned()));
        Ok(())
    }

    /// Adds a view. One that is the default view takes that from the other.
    pub(crate) fn add_view(&mut self, view: ListView) {
        self.step(Step::AddView(Box::new(view)));
    }

    /// Changes a view.
    ///
    /// # Errors
    /// As [`ViewEdit::check`].
    pub(crate) fn edit_view(&mut self, id: Guid, edit: ViewEdit) -> Result<(), Failure> {
        edit.check(&self.list)?;
        self.step(Step::EditView(id, Box::new(edit)));
        Ok(())
    }

    /// Changes the fields of a view, which the list must have.
    pub(crate) fn edit_view_fields(&mut self, id: Guid, edit: FieldsEdit) {
        self.step(Step::EditFields(id, edit));
    }

    /// Removes a view.
    ///
    /// # Errors
    /// [`Failure::Coded`] where there is none, and for the default view.
    pub(crate) fn remove_view(&mut self, id: Guid) -> Result<(), Failure> {
        match self.lists.views.iter().find(|view| view.id == id) {
            None => Err(Failure::coded(Code::NO_VIEW, "The specified view is invalid.")),
            Some(view) if view.default => Err(Failure::bad_value("The default view of a list cannot be deleted.")),
            Some(_) => {
                self.step(Step::DropView(id));
                Ok(())
            }
        }
    }

    /// Stores the changes, and what `also` changes of the list, on top of what others stored meanwhile. The list as it
    /// is then.
    ///
    /// # Errors
    /// [`Failure::Coded`] for a title that is taken and where somebody was faster; [`Failure::Uncoded`] where the fields
    /// have become too large; [`Failure::Engine`], [`EngineError::AccessDenied`] for the list of users among them.
    pub(crate) async fn write(self, context: &Context<'_>, also: &(dyn Fn(&mut Bag) + Sync)) -> Result<List, Failure> {
        let views = self.lists.views.iter().map(|view| view.to_xml().len()).sum::<usize>();
        let bytes = self.lists.custom.iter().map(|field| field_xml(field).len()).sum::<usize>() + views;
        if bytes > limits::BAG_BYTES_MAX {
            return Err(Failure::uncoded("The fields and views of the list are too large."));
        }
        // The server finds that list by its title, and so do clients.
        if self.list.template.unique {
            return Err(Failure::Engine(EngineError::AccessDenied));
        }
        let overtaken = AtomicBool::new(false);
        let change = |bag: &mut Bag| {
            let version = bag.get(&list_keys::LIST_VERSION).and_then(Value::as_i64);
            overtaken.store(self.version.is_some_and(|own| version != Some(i64::from(own))), Ordering::Relaxed);
            if overtaken.load(Ordering::Relaxed) {
                return;
            }
            also(bag);
            if !self.steps.is_empty() {
                let mut lists = Lists::of(bag);
                self.steps.iter().for_each(|step| lists.apply(step));
                lists.write(bag);
            }
        };
        match context.site.update_list(self.list.id(), &change).await {
            Ok(_) if overtaken.into_inner() => {
                Err(Failure::coded(Code::CONFLICT, "The list has been changed by another user."))
            }
            Ok(changed) => Ok(context.wrap(changed)),
            Err(EngineError::NameTaken) => {
                Err(Failure::coded(Code::TITLE_TAKEN, "A list with this title already exists in this site."))
            }
            Err(other) => Err(other.into()),
        }
    }
}

/// The list has no such field.
pub(crate) fn no_field(name: &str) -> Failure {
    Failure::coded(Code::NO_FIELD, format!("The list has no field {name}."))
}

/// The name, with a digit at its end where it is taken.
fn free_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (0..CUSTOM_FIELDS_MAX).map(|number| {
        let digits = number.to_string();
        let kept: String = name.chars().take(FIELD_NAME_CHARS_MAX.saturating_sub(digits.len())).collect();
        kept + &digits
    });
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_else(|| name.to_owned())
}
