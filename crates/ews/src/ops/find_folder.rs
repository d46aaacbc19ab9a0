//! `FindFolder`, MS-OXWSFOLD and MS-OXWSSRCH 3.1.4.1.

use std::collections::HashSet;

use model::{CollectionId, Predicate};
use xml::Node;

use super::Operation;
use super::find_item::Page;
use crate::context::Views;
use crate::folder::{self, FolderItem};
use crate::id::FolderRef;
use crate::restriction::{self, Subject};
use crate::shape::{FolderShape, Purpose};
use crate::{Answer, Context, Failure, Fault, request, search};

pub(super) struct FindFolder {
    shape: FolderShape,
    reach: Reach,
    page: Result<Page, Failure>,
    predicate: Result<Predicate, Failure>,
    parents: Vec<Result<FolderRef, Failure>>,
}

/// Which folders are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Those directly in the parent.
    Children,
    /// Those inside them, too.
    All,
    /// Those that were softly deleted: none, since Recoverable Items keep items alone.
    Deleted,
}

impl Operation for FindFolder {
    const NAME: &'static str = "FindFolder";
    const CHILDREN: &'static [&'static str] = &["FolderShape", "IndexedPageFolderView", "FractionalPageFolderView", "Restriction", "ParentFolderIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        const TRAVERSALS: &[(&str, Reach)] =
            &[("Shallow", Reach::Children), ("Deep", Reach::All), ("SoftDeleted", Reach::Deleted)];
        let traversal = request::attribute(body, "Traversal")?;
        let reach = request::enumeration(body, traversal, "FolderQueryTraversalType", TRAVERSALS)?;
        let predicate = match body.child_local("Restriction") {
            Some(node) => restriction::read(node, Subject::Folders)?,
            None => Ok(Predicate::True),
        };
        Ok(Self {
            shape: FolderShape::read(request::required(body, "FolderShape")?)?,
            reach,
            page: Page::read(body, "FolderView")?,
            predicate,
            parents: FolderRef::read_batch(request::required(body, "ParentFolderIds")?)?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let mut views = Views::default();
        for parent in &self.parents {
            let found = match parent {
                Ok(parent) => self.find(context, &mut views, parent).await,
                Err(failure) => Err(failure.clone()),
            };
            answer.result(found, |out, (page, hits)| {
                let total = hits.len();
                let (start, limit) = page.range(total);
                let hits: Vec<FolderItem> = hits.into_iter().skip(start).take(limit).collect();
                out.start("m:RootFolder");
                page.write(out, start, hits.len(), total);
                out.scope("t:Folders", |out| {
                    hits.iter().for_each(|hit| hit.write(out, &self.shape, Purpose::Find, &context.header));
                });
                out.end();
            });
        }
        Ok(())
    }
}

impl FindFolder {
    async fn find(
        &self,
        context: &Context<'_>,
        views: &mut Views,
        parent: &FolderRef,
    ) -> Result<(Page, Vec<FolderItem>), Failure> {
        self.shape.check()?;
        let page = self.page.clone()?;
        let predicate = self.predicate.as_ref().map_err(Clone::clone)?;
        let (mailbox, view) = views.get(context, &parent.mailbox).await?;
        let guid = mailbox.guid();
        let parent = folder::resolve(view, &parent.target).await?;
        let all = folder::all(guid, view).await?;
        let mut hits = match self.reach {
            Reach::Children => children(all, parent),
            Reach::All => below(all, &view.below(parent).await?),
            Reach::Deleted => Vec::new(),
        };
        if *predicate != Predicate::True {
            // The condition may be about the counts of search folders.
            let counted = FolderShape::counts();
            search::count(view, hits.iter_mut(), &counted, &context.header).await?;
            hits.retain(|hit| predicate.holds(hit));
        } else {
            search::count(view, hits.iter_mut(), &self.shape, &context.header).await?;
        }
        Ok((page, hits))
    }
}

fn children(all: Vec<FolderItem>, parent: CollectionId) -> Vec<FolderItem> {
    all.into_iter().filter(|item| item.folder.parent() == Some(parent)).collect()
}

fn below(all: Vec<FolderItem>, inside: &[CollectionId]) -> Vec<FolderItem> {
    let inside: HashSet<CollectionId> = inside.iter().copied().collect();
    all.into_iter().filter(|item| inside.contains(&item.folder.id())).collect()
}

#[cfg(test)]
mod tests {
    use engine::NewFolder;

    use crate::testing::{Answered, World, block_on};

    fn find(world: &World, traversal: &str, middle: &str, parent: &str) -> Answered {
        world.call(&format!(
            "<FindFolder Traversal=\"{traversal}\"><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>{middle}\
             <ParentFolderIds><t:DistinguishedFolderId Id=\"{parent}\"/></ParentFolderIds></FindFolder>"
        ))
    }

    fn world() -> World {
        let world = World::new();
        let make = |parent, name: &str| {
            let new = NewFolder { display_name: name.into(), class: "IPF.Note".into(), ..NewFolder::default() };
            block_on(world.mailbox().create_folder(parent, new)).unwrap().id()
        };
        let one = make(world.folder("inbox"), "One");
        make(one, "Two");
        world
    }

    #[test]
    fn both_traversals_with_pages() {
        let world = world();
        assert_eq!(find(&world, "Shallow", "", "inbox").success().texts("DisplayName"), ["One"]);
        let deep = find(&world, "Deep", "", "inbox").success();
        assert_eq!(deep.texts("DisplayName"), ["One", "Two"]);
        assert_eq!(deep.texts("ChildFolderCount"), ["1", "0"]);
        let page = "<IndexedPageFolderView MaxEntriesReturned=\"1\" Offset=\"1\" BasePoint=\"Beginning\"/>";
        let page = find(&world, "Deep", page, "inbox").success();
        assert_eq!(page.texts("DisplayName"), ["Two"]);
        assert_eq!(page.attributes("RootFolder", "TotalItemsInView"), ["2"]);
        let none = find(&world, "Shallow", "", "drafts").success();
        assert_eq!(none.children("RootFolder"), ["Folders"]);
        let root = find(&world, "Deep", "", "root").success();
        assert!(root.texts("DisplayName").contains(&"Calendar".to_owned()));
    }

    #[test]
    fn conditions_are_about_folders() {
        let world = world();
        let named = |path: &str, value: &str| {
            format!(
                "<Restriction><t:IsEqualTo>{path}<t:FieldURIOrConstant><t:Constant Value=\"{value}\"/></t:FieldURIOrConstant>\
                 </t:IsEqualTo></Restriction>"
            )
        };
        let name = "<t:FieldURI FieldURI=\"folder:DisplayName\"/>";
        assert_eq!(find(&world, "Deep", &named(name, "two"), "root").success().texts("DisplayName"), ["Two"]);
        let class = "<t:ExtendedFieldURI PropertyTag=\"0x3613\" PropertyType=\"String\"/>";
        let found = find(&world, "Shallow", &named(class, "IPF.Appointment"), "msgfolderroot").success();
        assert_eq!(found.children("Folders"), ["CalendarFolder"]);
        let wrong = "<t:FieldURI FieldURI=\"folder:PermissionSet\"/>";
        assert_eq!(find(&world, "Deep", &named(wrong, "x"), "root").valid().codes(), ["ErrorUnsupportedPathForQuery"]);
    }
}
