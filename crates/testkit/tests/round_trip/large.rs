//! Uploads that are so large that the server puts them into a file while they come.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::Time;
use testkit::{
    ews::{Ews, code, distinguished, envelope, folder_id, responses},
    schema::Checker,
    server::{ANNA, StoreKind, TestServer, stores},
    stream::Stream,
    tree::Reach,
};

/// Bytes that do not repeat soon.
fn noise(bytes: u32, seed: u32) -> Vec<u8> {
    (0..bytes).map(|at| ((at ^ seed).wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

fn item(subject: &str, file: &[u8]) -> Stream {
    Stream::message("IPM.Note", subject).recipients_follow().attachments_follow().file(0, "a.bin", file)
}

/// The content of a file of an item, by GetAttachment.
fn file(ews: &Ews, id: &str, checker: &mut Checker) -> Vec<u8> {
    let shape = "<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI=\"item:Attachments\"/>\
                 </t:AdditionalProperties>";
    let listed = ews.get_item(id, shape).unwrap();
    let attachment = responses(&listed)[0].at("Items/*/Attachments/*/AttachmentId").attribute("Id").unwrap();
    let answer = ews.call(&format!(
        "<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id=\"{attachment}\"/></m:AttachmentIds></m:GetAttachment>"
    ));
    checker.ews(&answer);
    STANDARD.decode(responses(&answer)[0].value("Attachments/FileAttachment/Content").unwrap()).unwrap()
}

/// Whether `whole` holds `part`.
fn holds(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(16).enumerate().any(|(at, window)| window == &part[..16] && whole[at..].starts_with(part))
}

#[test]
fn a_large_request_means_what_a_small_one_does() {
    for kind in stores("a_large_request_means_what_a_small_one_does") {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        let inbox = ews.folder(&distinguished("inbox"));
        let mut checker = Checker::new();
        let files = [noise(900_000, 1), noise(120_000, 2), noise(70_000, 3), noise(300, 4)];
        let inner = item("Inner", &files[1]);
        let outer = Stream::message("IPM.Note", "Outer").attachments_follow().embedded(0, "Inner", &inner);
        let body = "words and ".repeat(20_000);
        let long = Stream::message("IPM.Note", "Long").text(0x1000, &body);
        // With line breaks as one framework writes them, and with what XML lets stand between.
        let lines: String = item("Lines", &files[2])
            .data()
            .as_bytes()
            .chunks(76)
            .fold(String::new(), |text, line| text + str::from_utf8(line).unwrap() + "&#xD;\n");
        let cut = item("Cut", &files[1]).payload();
        let damaged = STANDARD.encode(&cut[..cut.len() - 7]);
        let data = [
            item("Large", &files[0]).data(),
            outer.data(),
            damaged,
            item("Small", &files[3]).data(),
            format!("{lines}<!-- the end -->"),
            STANDARD.encode(noise(100_000, 9)),
            long.data(),
        ];
        let came = ews.upload(&inbox, false, &data);
        let failed = Err("ErrorCorruptData".to_owned());
        assert_eq!((&came[2], &came[5]), (&failed, &failed));
        let id = |number: usize| came[number].as_ref().unwrap();
        assert!(file(&ews, id(0), &mut checker) == files[0]);
        assert!(file(&ews, id(3), &mut checker) == files[3]);
        assert!(file(&ews, id(4), &mut checker) == files[2]);
        let exported = ews.export(&[id(1).clone(), id(6).clone()]);
        assert!(holds(&STANDARD.decode(exported[0].as_ref().unwrap()).unwrap(), &files[1]));
        let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(holds(&STANDARD.decode(exported[1].as_ref().unwrap()).unwrap(), &wide));
        // Over one that is there.
        let other = noise(1_000_000, 7);
        assert_eq!(ews.upload_over(id(3), &inbox, false, &item("New", &other).data()).as_ref(), Ok(id(3)));
        assert!(file(&ews, id(3), &mut checker) == other);
        checker.finish();
    }
}

#[test]
fn what_is_wrong_with_a_large_one_is_said_as_with_a_small_one() {
    let time = Time::from_date(2024, 5, 6);
    let server = TestServer::configured(StoreKind::Memory, time, "upload_item_bytes_max = 1000000");
    let ews = server.ews(ANNA);
    let inbox = ews.folder(&distinguished("inbox"));
    let fits = item("Fits", &noise(990_000, 1)).data();
    let came = ews.upload(&inbox, false, &[item("Not", &noise(1_000_000, 1)).data(), fits.clone()]);
    assert_eq!(came[0], Err("ErrorMessageSizeExceeded".to_owned()));
    let id = came[1].as_ref().unwrap();
    let before = ews.read_items(&folder_id(&inbox), "Shallow").len();
    let upload = |data: &str| {
        envelope(&format!(
            "<m:UploadItems><m:Items><t:Item CreateAction=\"CreateNew\"><t:ParentFolderId Id=\"{inbox}\"/>\
             <t:Data>{data}</t:Data></t:Item></m:Items></m:UploadItems>"
        ))
    };
    for wrong in
        [format!("{fits}!"), format!("{fits}A"), format!("{fits}&amp;"), format!("{fits}&#233;"), format!("AA=={fits}")]
    {
        let answer = ews.send(&upload(&wrong));
        assert_eq!(code(&answer), "ErrorSchemaValidation");
    }
    // The same place in another operation is no payload.
    let answer = ews.send(&upload(&fits).replace("UploadItems", "ExportItems"));
    assert_eq!(code(&answer), "ErrorSchemaValidation");
    assert_eq!(ews.read_items(&folder_id(&inbox), "Shallow").len(), before);
    assert!(ews.export(std::slice::from_ref(id))[0].is_ok());
}
