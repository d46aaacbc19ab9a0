//! What the SOAP header of a request asks for, and the header of every answer.
//!
//! Unknown header blocks are passed over unless `mustUnderstand` says otherwise. It must not know operations.

use model::Time;
use xml::{Node, Writer, soap};

use crate::fields::zone;
use crate::local_time::Zone;
use crate::{Fault, ResponseCode, TYPES, request};

/// A version of the schema, as `RequestServerVersion` names it; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u8);

impl Version {
    pub(crate) const V2007: Self = Self(0);
    pub(crate) const V2007_SP1: Self = Self(1);
    pub(crate) const V2010: Self = Self(3);
    pub(crate) const V2010_SP1: Self = Self(4);
    pub(crate) const V2010_SP2: Self = Self(5);
    pub(crate) const V2013: Self = Self(7);
    pub(crate) const V2013_SP1: Self = Self(8);
    pub(crate) const V2016: Self = Self(10);

    /// The version of that name; unlisted names are unknown.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Exchange2007" => Self::V2007,
            "Exchange2007_SP1" => Self::V2007_SP1,
            "Exchange2009" => Self(2),
            "Exchange2010" => Self::V2010,
            "Exchange2010_SP1" => Self::V2010_SP1,
            "Exchange2010_SP2" => Self::V2010_SP2,
            "Exchange2012" => Self(6),
            "Exchange2013" => Self::V2013,
            "Exchange2013_SP1" => Self::V2013_SP1,
            "Exchange2015" => Self(9),
            "Exchange2016" => Self::V2016,
            "V2015_10_05" | "V2016_01_06" | "V2016_04_13" | "V2016_07_13" | "V2016_10_10" | "V2017_07_11" => Self(11),
            _ => return None,
        })
    }
}

/// Who the caller wants to act as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConnectingSid {
    /// By address or principal name.
    Address(String),
    /// By security identifier, which nobody has here.
    Sid,
}

/// The header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The version the answer is shaped for. Absent means 2007 SP1, and then no operation is refused for its version.
    pub(crate) version: Version,
    /// Whether the request named its version.
    pub(crate) versioned: bool,
    /// Whether times carry milliseconds.
    pub(crate) milliseconds: bool,
    /// Whom to act as.
    pub(crate) impersonate: Option<ConnectingSid>,
    /// The zone of times that name none.
    pub(crate) zone: Option<Zone>,
}

impl Default for Header {
    fn default() -> Self {
        Self { version: Version::V2007_SP1, versioned: false, milliseconds: false, impersonate: None, zone: None }
    }
}

impl Header {
    /// Reads the header element.
    pub(crate) fn read(node: Option<Node<'_>>) -> Result<Self, Fault> {
        let mut header = Self::default();
        let Some(node) = node else { return Ok(header) };
        for block in node.children() {
            let understood = block.namespace() == TYPES;
            match block.local() {
                "RequestServerVersion" if understood => {
                    let Some(version) = Version::named(block.attribute("Version").unwrap_or_default()) else {
                        return Err(Fault::code(ResponseCode::ErrorInvalidServerVersion));
                    };
                    (header.version, header.versioned) = (version, true);
                }
                "DateTimePrecision" if understood => {
                    const PRECISIONS: &[(&str, bool)] = &[("Seconds", false), ("Milliseconds", true)];
                    header.milliseconds =
                        request::enumeration(block, &block.text(), "DateTimePrecisionType", PRECISIONS)?;
                }
                "TimeZoneContext" if understood => {
                    let definition = request::required(block, "TimeZoneDefinition")?;
                    let id = definition.attribute("Id").unwrap_or_default().to_owned();
                    header.zone = Some(Zone { rules: zone::read_definition(definition, &id), id });
                }
                "ExchangeImpersonation" if understood => {
                    let sid = block.child_local("ConnectingSID").and_then(|sid| sid.children().next());
                    let Some(sid) = sid else {
                        return Err(Fault::schema(block, "ConnectingSID", "is missing"));
                    };
                    header.impersonate = Some(match sid.local() {
                        "SID" => ConnectingSid::Sid,
                        // A principal name here is the address.
                        "PrincipalName" | "PrimarySmtpAddress" | "SmtpAddress" => {
                            ConnectingSid::Address(sid.text().trim().to_owned())
                        }
                        other => return Err(Fault::schema(sid, other, "This element is not expected here.")),
                    });
                }
                _ if understood => {}
                _ => {
                    let must = block.attribute_ns(soap::ENVELOPE_11, "mustUnderstand").unwrap_or_default();
                    if must == "1" || must == "true" {
                        return Err(Fault::must_understand(block.local()));
                    }
                }
            }
        }
        Ok(header)
    }

    /// A time as this request wants it written.
    pub(crate) fn time(&self, time: Time) -> String {
        let text = time.to_string();
        let milliseconds = time.civil().ticks / 10_000;
        match text.strip_suffix('Z') {
            Some(seconds) if self.milliseconds => format!("{seconds}.{milliseconds:03}Z"),
            Some(_) | None => text,
        }
    }
}

/// Writes `ServerVersionInfo`, which every answer carries, faults too: version probes take any answer that has it.
///
/// The build is one of the 15.1 line and the name is that which the known clients were seen to accept together with it;
/// other names beyond `Exchange2013_SP1` have not been tried.
pub(crate) fn write_server_version(out: &mut Writer) {
    out.start("t:ServerVersionInfo");
    out.namespace("t", TYPES);
    out.attribute("MajorVersion", "15");
    out.attribute("MinorVersion", "1");
    out.attribute("MajorBuildNumber", "2507");
    out.attribute("MinorBuildNumber", "6");
    out.attribute("Version", "V2017_07_11");
    out.end();
}

#[cfg(test)]
mod tests {
    use crate::testing::{World, block_on, envelope};

    const GET: &str = "<GetFolder><FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape><FolderIds>\
        <t:DistinguishedFolderId Id=\"inbox\"/></FolderIds></GetFolder>";

    fn impersonate(kind: &str, who: &str) -> String {
        format!(
            "<t:ExchangeImpersonation><t:ConnectingSID><t:{kind}>{who}</t:{kind}></t:ConnectingSID></t:ExchangeImpersonation>"
        )
    }

    #[test]
    fn headers_decide_about_the_request() {
        let world = World::new();
        assert_eq!(world.call_at("Exchange1999", GET).codes(), ["ErrorInvalidServerVersion"]);
        world.call_at("Exchange2007_SP1", GET).success();
        let more = "<x xmlns=\"urn:x\"/><t:MailboxCulture>en-US</t:MailboxCulture><t:ManagementRole><t:UserRoles>\
            <t:Role>MailboxSearch</t:Role></t:UserRoles></t:ManagementRole>";
        for (header, code) in [
            ("", "NoError"),
            (more, "NoError"),
            ("<t:DateTimePrecision>Hours</t:DateTimePrecision>", "ErrorSchemaValidation"),
            (impersonate("PrimarySmtpAddress", "ANN@example.com").as_str(), "NoError"),
            (impersonate("Nickname", "Ann").as_str(), "ErrorSchemaValidation"),
            ("<t:ExchangeImpersonation/>", "ErrorSchemaValidation"),
        ] {
            assert_eq!(world.send(&envelope(header, GET)).codes(), [code], "{header}");
        }
        let must = world.send(&envelope("<x xmlns=\"urn:x\" s:mustUnderstand=\"1\"/>", GET));
        assert!(must.status == 500 && must.xml.contains("s:MustUnderstand"), "{}", must.xml);
        assert_eq!(world.send("<a>").status, 500);
        assert_eq!(world.send(&envelope("", "")).codes(), ["ErrorInvalidRequest"]);
    }

    /// Distinguished folders of one who is impersonated are those of that mailbox, by whatever name it is called.
    #[test]
    fn who_may_acts_as_another() {
        let world = World::new();
        let bob = world.account("bob@example.com");
        let own = world.folder_id("inbox");
        let ask = |header: &str| world.send_as(&bob, &envelope(header, GET));
        let kinds = ["SmtpAddress", "PrimarySmtpAddress", "PrincipalName"];
        for kind in kinds {
            for who in ["ann@example.com", "nobody@example.com"] {
                let answer = ask(&impersonate(kind, who));
                assert_eq!((answer.status, answer.codes()), (500, vec!["ErrorImpersonateUserDenied".to_owned()]));
            }
        }
        let directory = world.ews.engine.directory();
        block_on(directory.set_impersonation("bob@example.com", true)).unwrap();
        for kind in kinds {
            let answer = ask(&impersonate(kind, "Ann@Example.com")).success();
            assert_eq!(answer.attributes("FolderId", "Id"), [own.as_str()]);
        }
        assert_ne!(ask("").success().attributes("FolderId", "Id"), [own.as_str()]);
        assert_eq!(ask(&impersonate("SmtpAddress", "nobody@example.com")).codes(), ["ErrorNonExistentMailbox"]);
        assert_eq!(ask(&impersonate("SID", "S-1-5-21-1")).codes(), ["ErrorImpersonationFailed"]);
        // What was granted to one is not granted to whom that one acts as.
        let both = impersonate("SmtpAddress", "bob@example.com");
        assert_eq!(world.send(&envelope(&both, GET)).codes(), ["ErrorImpersonateUserDenied"]);
        block_on(directory.set_impersonation("bob@example.com", false)).unwrap();
        assert_eq!(ask(&impersonate("SmtpAddress", "ann@example.com")).codes(), ["ErrorImpersonateUserDenied"]);
    }

    #[test]
    fn times_have_the_precision_asked_for() {
        let world = World::new();
        let created = "2024-01-02T03:04:05.678Z".parse().unwrap();
        world.item("inbox", &[(model::tags::CREATION_TIME, model::Value::Time(created))]);
        let find = "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
            <t:FieldURI FieldURI=\"item:DateTimeCreated\"/></t:AdditionalProperties></ItemShape><ParentFolderIds>\
            <t:DistinguishedFolderId Id=\"inbox\"/></ParentFolderIds></FindItem>";
        for (precision, text) in [("Seconds", "2024-01-02T03:04:05Z"), ("Milliseconds", "2024-01-02T03:04:05.678Z")] {
            let header = format!("<t:DateTimePrecision>{precision}</t:DateTimePrecision>");
            assert_eq!(world.send(&envelope(&header, find)).success().texts("DateTimeCreated"), [text]);
        }
    }
}
