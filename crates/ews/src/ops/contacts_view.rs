//! The contacts view of FindItem, MS-OXWSSRCH 2.2.4.7: contacts by name, from one name to another.

use model::{Comparison, Operand, Order, Predicate, SortKey, Value, tags};
use xml::Node;

use crate::{Fault, request};

/// The order of a view that names no other.
pub(super) const ORDER: SortKey = SortKey { key: tags::DISPLAY_NAME, order: Order::Ascending };

/// Reads the element: how many entries it takes, at most `entries_max`, and the condition of its names, both of which are
/// within.
pub(super) fn read(view: Node<'_>, entries_max: usize) -> Result<(usize, Predicate), Fault> {
    let max = request::integer_attribute(view, "MaxEntriesReturned", 1, i32::MAX)?;
    let max = max.and_then(|max| usize::try_from(max).ok()).unwrap_or(entries_max).min(entries_max);
    let bounds = [("InitialName", Comparison::GreaterOrEqual), ("FinalName", Comparison::LessOrEqual)];
    let compare = |(name, how)| {
        let right = Operand::Constant(Value::text(view.attribute(name)?));
        Some(Predicate::Compare { left: Operand::Key(tags::DISPLAY_NAME), how, right, ignore_case: true })
    };
    Ok((max, Predicate::And(bounds.into_iter().filter_map(compare).collect())))
}

#[cfg(test)]
mod tests {
    use model::{Value, tags};

    use crate::testing::World;

    #[test]
    fn a_contacts_view_is_of_names() {
        let world = World::new();
        for name in ["Carol", "ann", "Dave", "Bob"] {
            let class = (tags::MESSAGE_CLASS, Value::text("IPM.Contact"));
            let (subject, display) = ((tags::SUBJECT, Value::text(name)), (tags::DISPLAY_NAME, Value::text(name)));
            world.item("contacts", &[class, subject, display]);
        }
        for (attributes, names, last) in [
            ("", "ann Bob Carol Dave", "true"),
            ("InitialName=\"bob\"", "Bob Carol Dave", "true"),
            ("InitialName=\"Bob\" FinalName=\"Carol\"", "Bob Carol", "true"),
            ("MaxEntriesReturned=\"1\" InitialName=\"b\"", "Bob", "false"),
        ] {
            let answer = world
                .call(&format!(
                    "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
                     <t:FieldURI FieldURI=\"item:Subject\"/></t:AdditionalProperties></ItemShape><ContactsView {attributes}/>\
                     <ParentFolderIds><t:DistinguishedFolderId Id=\"contacts\"/></ParentFolderIds></FindItem>"
                ))
                .success();
            assert_eq!(answer.texts("Subject").join(" "), names, "{attributes}");
            assert_eq!(answer.attributes("RootFolder", "IncludesLastItemInRange"), [last], "{attributes}");
        }
    }
}
