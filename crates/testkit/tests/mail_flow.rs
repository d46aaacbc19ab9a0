//! Mail between two mailboxes of one server, as both sides see it in SyncFolderItems.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use testkit::{
    ews::{Ews, distinguished, item_id, responses},
    schema::Checker,
    server::{ANNA, BERT, TestServer, stores},
    tree::{Reach, Tree},
    watch::Watch,
};

fn send(ews: &Ews, disposition: &str, subject: &str, to: &str, checker: &mut Checker) -> Tree {
    let answer = ews.call(&format!(
        "<m:CreateItem MessageDisposition=\"{disposition}\"><m:SavedItemFolderId><t:DistinguishedFolderId Id=\"sentitems\"/>\
         </m:SavedItemFolderId><m:Items><t:Message><t:ItemClass>IPM.Note</t:ItemClass><t:Subject>{subject}</t:Subject>\
         <t:Body BodyType=\"Text\">See you there.</t:Body><t:ToRecipients><t:Mailbox><t:EmailAddress>{to}</t:EmailAddress>\
         </t:Mailbox></t:ToRecipients><t:IsRead>false</t:IsRead></t:Message></m:Items></m:CreateItem>"
    ));
    checker.ews(&answer);
    answer
}

fn code(answer: &Tree) -> String {
    responses(answer)[0].value("ResponseCode").unwrap()
}

#[test]
fn a_message_and_its_answer() {
    for kind in stores("a_message_and_its_answer") {
        let server = TestServer::start(kind);
        let (anna, bert) = (server.ews(ANNA), server.ews(BERT));
        let mut checker = Checker::new();
        let mut watch = |ews: &Ews, folder| Watch::new(ews.clone(), folder, &mut checker);
        let (mut sent, mut inbox) = (watch(&anna, "sentitems"), watch(&bert, "inbox"));
        let (mut bert_sent, mut anna_inbox) = (watch(&bert, "sentitems"), watch(&anna, "inbox"));
        let made = send(&anna, "SendAndSaveCopy", "Lunch", BERT, &mut checker);
        assert_eq!(code(&made), "NoError");
        let kept = sent.news(&mut checker);
        assert_eq!((kept.len(), kept[0].kind.as_str(), kept[0].element.as_str()), (1, "Create", "Message"));
        let id = responses(&made)[0].at("Items/Message/ItemId").attribute("Id").unwrap().to_owned();
        assert_eq!(
            (kept[0].id.as_str(), kept[0].value("IsRead"), kept[0].value("IsFromMe")),
            (id.as_str(), "true", "true")
        );
        let received = inbox.news(&mut checker);
        assert_eq!((received.len(), received[0].kind.as_str(), received[0].element.as_str()), (1, "Create", "Message"));
        let received = &received[0];
        for (name, value) in [
            ("Subject", "Lunch"),
            ("IsRead", "false"),
            ("IsDraft", "false"),
            ("IsFromMe", "false"),
            ("IsSubmitted", "false"),
            ("DisplayTo", "Bert Berg"),
            ("InternetMessageId", kept[0].value("InternetMessageId")),
        ] {
            assert_eq!(received.value(name), value, "{name}");
        }
        let shape = "<t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>";
        let got = bert.get_item(&received.id, shape).unwrap();
        checker.ews(&got);
        let message = responses(&got)[0].at("Items/Message");
        for (person, name) in [
            ("From", "Anna Arlt"),
            ("Sender", "Anna Arlt"),
            ("ReceivedBy", "Bert Berg"),
            ("ReceivedRepresenting", "Bert Berg"),
        ] {
            assert_eq!(message.value(&format!("{person}/Mailbox/Name")).as_deref(), Some(name), "{person}");
        }
        let answered = bert.call(&format!(
            "<m:CreateItem MessageDisposition=\"SendAndSaveCopy\"><m:Items><t:ReplyToItem>{}<t:NewBodyContent BodyType=\"Text\">\
             I shall.</t:NewBodyContent></t:ReplyToItem></m:Items></m:CreateItem>",
            item_id(&received.id).replace("ItemId", "ReferenceItemId")
        ));
        checker.ews(&answered);
        assert_eq!(code(&answered), "NoError");
        assert_eq!(anna_inbox.brief(&mut checker), ["Create Message RE: Lunch"]);
        assert_eq!(bert_sent.brief(&mut checker), ["Create Message RE: Lunch"]);
        // The original is marked as answered; it is not read by that.
        assert_eq!(inbox.brief(&mut checker), ["Update Message Lunch"]);
        // Sent and not kept; to nobody at all.
        assert_eq!(code(&send(&anna, "SendOnly", "Short", BERT, &mut checker)), "NoError");
        assert_eq!(inbox.brief(&mut checker), ["Create Message Short"]);
        let refused = send(&anna, "SendAndSaveCopy", "Lost", "nobody@example.com", &mut checker);
        assert_eq!(code(&refused), "ErrorInvalidRecipients");
        assert!(responses(&refused)[0].value("MessageText").unwrap().contains("nobody@example.com"));
        assert!(sent.brief(&mut checker).is_empty() && inbox.brief(&mut checker).is_empty());
        assert!(anna.read_items(&distinguished("outbox"), "Shallow").is_empty());
        checker.finish();
    }
}

/// What was accepted is delivered, whatever happens to the server.
#[test]
fn mail_outlives_the_server() {
    let server = TestServer::sqlite();
    let mut checker = Checker::new();
    send(&server.ews(ANNA), "SendAndSaveCopy", "Before", BERT, &mut checker);
    let server = TestServer::reopen(server.stop(), 1);
    let bert = server.ews(BERT);
    let mut inbox = Watch::new(bert.clone(), "inbox", &mut checker);
    let subjects: Vec<String> =
        bert.read_items(&distinguished("inbox"), "Shallow").into_values().map(|item| item.subject).collect();
    assert_eq!(subjects, ["Before"]);
    send(&server.ews(ANNA), "SendOnly", "After", BERT, &mut checker);
    assert_eq!(inbox.brief(&mut checker), ["Create Message After"]);
    checker.finish();
}

/// Both write to each other at once, several at a time.
#[test]
fn crossing_mail_arrives_once() {
    const WRITERS: usize = 4;
    const MESSAGES: usize = 12;
    let server = TestServer::sqlite();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (from, to) = if writer % 2 == 0 { (ANNA, BERT) } else { (BERT, ANNA) };
            let ews = server.ews(from);
            scope.spawn(move || {
                let mut checker = Checker::new();
                for number in 0..MESSAGES {
                    let subject = format!("{writer}-{number}");
                    assert_eq!(code(&send(&ews, "SendAndSaveCopy", &subject, to, &mut checker)), "NoError");
                }
            });
        }
    });
    for (address, odd) in [(ANNA, 1), (BERT, 0)] {
        let ews = server.ews(address);
        let subjects = |folder: &str| {
            let mut subjects: Vec<String> =
                ews.read_items(&distinguished(folder), "Shallow").into_values().map(|item| item.subject).collect();
            subjects.sort();
            subjects
        };
        let wanted = |odd: usize| {
            let writers = (0..WRITERS).filter(move |writer| writer % 2 == odd);
            let mut wanted: Vec<String> =
                writers.flat_map(|writer| (0..MESSAGES).map(move |number| format!("{writer}-{number}"))).collect();
            wanted.sort();
            wanted
        };
        assert_eq!(subjects("inbox"), wanted(odd), "{address}");
        assert_eq!(subjects("sentitems"), wanted(1 - odd), "{address}");
        assert!(subjects("outbox").is_empty());
    }
}
