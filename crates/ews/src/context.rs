//! What every operation may use: the domain, the caller, the header, and the mailboxes it has opened.

use std::sync::{Mutex, PoisonError};

use engine::{Caller, Engine, Mailbox, MailboxName, View};
use model::Guid;

use crate::header::ConnectingSid;
use crate::id::MailboxId;
use crate::{Failure, Fault, Header, ResponseCode};

/// One request being served.
pub(crate) struct Context<'a> {
    engine: &'a Engine,
    caller: &'a Caller,
    /// What the SOAP header asked for.
    pub(crate) header: Header,
    /// Mailboxes opened by this request: few, since each is one that the caller may use.
    open: Mutex<Vec<Mailbox>>,
}

impl<'a> Context<'a> {
    /// Decides whether the caller may act as whom the header names. Only acting as oneself is possible.
    pub(crate) fn new(engine: &'a Engine, caller: &'a Caller, header: Header) -> Result<Self, Fault> {
        match &header.impersonate {
            None => {}
            Some(ConnectingSid::Address(address)) if address.eq_ignore_ascii_case(&caller.address) => {}
            Some(ConnectingSid::Address(_) | ConnectingSid::Sid) => {
                return Err(Fault::code(ResponseCode::ErrorImpersonateUserDenied));
            }
        }
        Ok(Self { engine, caller, header, open: Mutex::default() })
    }

    /// The domain.
    pub(crate) const fn engine(&self) -> &'a Engine {
        self.engine
    }

    /// Who asks.
    pub(crate) const fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// The mailbox that an id names.
    pub(crate) async fn mailbox(&self, id: &MailboxId) -> Result<Mailbox, Failure> {
        let name = match id {
            MailboxId::Own => MailboxName::Own,
            MailboxId::Address(address) => MailboxName::Address(address),
            MailboxId::Guid(guid) => MailboxName::Guid(*guid),
        };
        let open = |guid: Guid| {
            let list = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            list.iter().find(|mailbox| mailbox.guid() == guid).cloned()
        };
        let known = match name {
            MailboxName::Own => open(self.caller.mailbox_guid),
            MailboxName::Guid(guid) => open(guid),
            MailboxName::Address(_) => None,
        };
        if let Some(mailbox) = known {
            return Ok(mailbox);
        }
        let mailbox = self.engine.open_mailbox(self.caller, name).await?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(mailbox.clone());
        Ok(mailbox)
    }
}

/// Views of the mailboxes that a batch reads: one of each, all ids of the batch see the same moment.
#[derive(Default)]
pub(crate) struct Views {
    open: Vec<(Mailbox, View)>,
}

impl Views {
    /// The mailbox that an id names, and the view of it.
    pub(crate) async fn get(&mut self, context: &Context<'_>, id: &MailboxId) -> Result<&mut (Mailbox, View), Failure> {
        let mailbox = context.mailbox(id).await?;
        let at = self.open.iter().position(|(have, _)| have.guid() == mailbox.guid());
        let at = match at {
            Some(at) => at,
            None => {
                let view = mailbox.begin().await?;
                self.open.push((mailbox, view));
                self.open.len() - 1
            }
        };
        self.open.get_mut(at).ok_or_else(|| Failure::new(ResponseCode::ErrorInternalServerError))
    }
}
