//! Items without what their attachments hold, and that in pieces.

use engine::{EngineError, Held, Outline, View};
use model::{Attachment, AttachmentContent, Bag, ItemContent, ItemFlags, Value, limits, tags};
use store::{Commit, ItemChange, PartChange, PartData, Store as _, Write};

use crate::{World, folder_named, message, now};

/// The item that an outline stands for, its attachments read in pieces of `piece` bytes.
fn whole(view: &mut View, outline: Outline, piece: usize) -> ItemContent {
    let attachments = outline.attachments.into_iter().map(|attachment| {
        let content = match attachment.held {
            Held::Nothing => AttachmentContent::None,
            Held::File(extent) => {
                let mut bytes = Vec::new();
                while (bytes.len() as u64) < extent.len() {
                    let read = now(view.read(extent, bytes.len() as u64, piece)).unwrap();
                    assert!(!read.is_empty() && read.len() <= piece);
                    bytes.extend_from_slice(&read);
                }
                assert!(now(view.read(extent, extent.len(), piece)).unwrap().is_empty());
                AttachmentContent::File(bytes.into())
            }
            Held::Item(extent) => {
                let inside = now(view.outline_inside(extent)).unwrap();
                AttachmentContent::Item(Box::new(whole(view, inside, piece)))
            }
        };
        Attachment { bag: attachment.bag, content }
    });
    let attachments = attachments.collect();
    ItemContent { bag: outline.bag, recipients: outline.recipients, attachments, mime: None }
}

fn file(bytes: usize) -> Attachment {
    let bytes: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    let bag = Bag::from_iter([(tags::ATTACH_LONG_FILENAME, Value::text("a.bin"))]);
    Attachment { bag, content: AttachmentContent::File(bytes.into()) }
}

fn holding(item: ItemContent) -> Attachment {
    Attachment { content: AttachmentContent::Item(Box::new(item)), ..Attachment::default() }
}

#[test]
fn an_outline_stands_for_the_item() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let recipients = vec![Bag::from_iter([(tags::DISPLAY_NAME, Value::text("Bob"))]); 3];
    let heavy = Value::text("x".repeat(limits::LIGHT_VALUE_BYTES_MAX + 1));
    let mut inner = ItemContent {
        recipients: recipients.clone(),
        attachments: vec![file(0), Attachment::default(), file(3_000_000)],
        mime: Some(vec![7; 100_000].into()),
        ..message("inner")
    };
    inner.bag.set(tags::TRANSPORT_MESSAGE_HEADERS, heavy);
    let deep = (0..limits::EMBED_DEPTH_MAX - 2)
        .fold(inner.clone(), |item, _| ItemContent { attachments: vec![holding(item)], ..message("between") });
    for content in [
        message("plain"),
        ItemContent { recipients, attachments: vec![file(0), file(1), file(70_000)], ..message("files") },
        ItemContent { attachments: vec![holding(inner), file(5), Attachment::default()], ..message("outer") },
        ItemContent { attachments: vec![holding(deep)], ..message("deep") },
    ] {
        let row = now(mailbox.create_item(inbox, content, ItemFlags::default())).unwrap();
        let mut view = now(mailbox.begin()).unwrap();
        let mut expected = now(view.content(&row)).unwrap();
        without_mime(&mut expected);
        for piece in [1 << 16, 1 << 20] {
            let outline = now(view.outline(&row)).unwrap();
            assert!(whole(&mut view, outline, piece) == expected);
        }
    }
}

fn without_mime(item: &mut ItemContent) {
    item.mime = None;
    for attachment in &mut item.attachments {
        if let AttachmentContent::Item(item) = &mut attachment.content {
            without_mime(item);
        }
    }
}

/// Whatever the bytes of an embedded item are, it is read or it is damage.
#[test]
fn a_damaged_embedded_item_is_an_error() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let content = ItemContent { attachments: vec![holding(message("inner"))], ..message("outer") };
    let row = now(mailbox.create_item(folder_named(&mailbox, "inbox"), content, ItemFlags::default())).unwrap();
    let stored = now(now(mailbox.begin()).unwrap().part(row.item, 16)).unwrap().unwrap();
    let root = now(world.store.roots(None, 100)).unwrap().rows;
    let root = root.iter().find(|root| root.guid == mailbox.guid()).unwrap().root;
    let mut failed = 0;
    for at in 0..stored.len() {
        for bytes in [stored[..at].to_vec(), {
            let mut bytes = stored.to_vec();
            bytes[at] ^= 0xff;
            bytes
        }] {
            let mut commit = Commit::new(root, world.engine.clock().now());
            let parts = vec![PartChange::Put(PartData { part: 16, bytes: bytes.into() })];
            let change = ItemChange { item: row.item, flags: None, bag: None, parts, content: true };
            commit.writes.push(Write::UpdateItem(change));
            now(world.store.commit(commit)).unwrap();
            let mut view = now(mailbox.begin()).unwrap();
            let outline = now(view.outline(&row)).unwrap();
            let Held::Item(extent) = outline.attachments[0].held else { panic!("no item") };
            match now(view.outline_inside(extent)) {
                Ok(_) => {}
                Err(error) => {
                    assert!(error.is_damage() || matches!(error, EngineError::TooLarge(_)), "{error:?}");
                    failed += 1;
                }
            }
        }
    }
    assert!(failed > stored.len() / 2, "{failed} of {}", stored.len());
}
