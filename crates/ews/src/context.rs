//! What every operation may use: the domain, the caller, the header, and the mailboxes it has opened.

use std::sync::{Mutex, PoisonError};

use engine::{Caller, Engine, EngineError, Mailbox, MailboxName, View};
use model::Guid;

use crate::header::ConnectingSid;
use crate::id::MailboxId;
use crate::{Ews, Failure, Fault, Hangs, Header, ResponseCode, Settings, Spools};

/// Whom the caller acts as, where the header names somebody: everything then is as if that one had asked.
///
/// # Errors
/// `ErrorImpersonateUserDenied` without the right, `ErrorNonExistentMailbox` for an address that nobody has,
/// `ErrorImpersonationFailed` for a security identifier, which nobody here has.
pub(crate) async fn acting_as(engine: &Engine, caller: &Caller, header: &Header) -> Result<Option<Caller>, Fault> {
    let address = match &header.impersonate {
        None => return Ok(None),
        Some(ConnectingSid::Address(address)) => address,
        Some(ConnectingSid::Sid) => {
            let text = "Exchange impersonation failed: accounts have no SID here; name one by its address.";
            return Err(Fault::text(ResponseCode::ErrorImpersonationFailed, text));
        }
    };
    match engine.directory().impersonate(caller, address).await {
        Ok(other) => Ok(Some(other)),
        Err(EngineError::AccessDenied) => Err(Fault::code(ResponseCode::ErrorImpersonateUserDenied)),
        Err(error) => Err(Failure::from(error).into()),
    }
}

/// One request being served.
pub(crate) struct Context<'a> {
    engine: &'a Engine,
    sender: &'a Caller,
    caller: &'a Caller,
    /// What the SOAP header asked for.
    pub(crate) header: Header,
    /// What is set about the service.
    pub(crate) settings: Settings,
    /// What of it lies outside of memory.
    pub(crate) spools: Spools,
    /// What it needs of the program to hang; `None` where it may not.
    pub(crate) hangs: Option<Hangs>,
    /// Mailboxes opened by this request: few, since each is one that the caller may use.
    open: Mutex<Vec<Mailbox>>,
}

impl<'a> Context<'a> {
    /// A request of `caller`: of the `sender`, or of whom that one acts as (see [`acting_as`]).
    pub(crate) fn new(
        ews: &'a Ews,
        (sender, caller): (&'a Caller, &'a Caller),
        header: Header,
        (spools, hangs): (Spools, Option<Hangs>),
    ) -> Self {
        let (engine, settings) = (&ews.engine, ews.settings);
        Self { engine, sender, caller, header, settings, spools, hangs, open: Mutex::new(Vec::new()) }
    }

    /// Who sent the request.
    pub(crate) const fn sender(&self) -> &'a Caller {
        self.sender
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
