//! `GetStreamingEvents`, MS-OXWSNTIF 3.1.4.2: a request that hangs, and is answered by one whole envelope after another.
//!
//! The first comes at once. Events come as they happen, those from before first; while nothing happens, an empty envelope
//! says now and then that the connection stands. The last says that it is closed: at the time the client has named, when
//! the server stops, or when no subscription is left. What was sent is noted now and then and when the request ends, so
//! that the next one goes on behind it; what a node had not noted when it was killed comes again.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use engine::{Channel, EventPage, Place, Subscription, SubscriptionError};
use xml::{Node, soap};

use super::Operation;
use crate::hanging::{self, Surroundings, Wait};
use crate::notification::{self, Form};
use crate::{Answer, Context, Failure, Fault, ResponseCode, Version, request};

/// Events in one envelope, about: those of one change come together.
const EVENTS_MAX: usize = 50;
/// Subscriptions of one request: what the documentation of Exchange tells clients to keep to.
const SUBSCRIPTIONS_MAX: usize = 200;
/// Minutes that a request may hang, MS-OXWSNTIF 3.1.4.2.4.1.
const MINUTES_MAX: i32 = 30;
/// How long changes are gathered before they are read.
const GATHER: Duration = Duration::from_millis(50);
/// How long a store that fails for now is left alone.
const PAUSE: Duration = Duration::from_secs(5);

const OK: &str = "OK";
const CLOSED: &str = "Closed";

pub(super) struct GetStreamingEvents {
    ids: Vec<String>,
    minutes: u32,
}

impl Operation for GetStreamingEvents {
    const NAME: &'static str = "GetStreamingEvents";
    const CHILDREN: &'static [&'static str] = &["SubscriptionIds", "ConnectionTimeout"];
    const SINCE: Version = Version::V2010_SP1;
    /// ews-javascript-api 0.15 looks for `<Envelope` and `</Envelope>` in what it hears.
    const STYLE: soap::EnvelopeStyle =
        soap::EnvelopeStyle { prefix: "", envelope_namespaces: &[], body_namespaces: &[] };

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let list = request::required(body, "SubscriptionIds")?;
        request::known_children(list, &["SubscriptionId"])?;
        let mut ids: Vec<String> = Vec::new();
        for node in request::batch(list)? {
            let id = node.text().trim().to_owned();
            if id.is_empty() {
                return Err(Fault::value(node, "", "NonEmptyStringType", "The MinLength constraint failed."));
            }
            if !ids.contains(&id) && ids.len() <= SUBSCRIPTIONS_MAX {
                ids.push(id);
            }
        }
        let minutes = request::integer(request::required(body, "ConnectionTimeout")?, 1, MINUTES_MAX)?;
        Ok(Self { ids, minutes: minutes.unsigned_abs() })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        if self.ids.len() > SUBSCRIPTIONS_MAX {
            close_with(answer, &ResponseCode::ErrorExceededSubscriptionCount.into());
            return Ok(());
        }
        let place = context.hangs.as_ref().and_then(|hangs| Some((hangs, hangs.0.place(context.caller().account)?)));
        let Some((hangs, _place)) = place else {
            close_with(answer, &ResponseCode::ErrorExceededConnectionCount.into());
            return Ok(());
        };
        let (mut streams, mut bad) = (Vec::new(), Vec::new());
        for id in self.ids {
            match open(context, &id).await {
                Ok((subscription, told)) => streams.push(Stream { id, subscription, at: told, told, is_noted: true }),
                Err(failure) => bad.push((failure, id)),
            }
        }
        if !bad.is_empty() {
            answer_bad(answer, bad, if streams.is_empty() { CLOSED } else { OK });
            if streams.is_empty() {
                return Ok(());
            }
            answer.hang().await;
        }
        let hung = Hung {
            surroundings: &*hangs.0,
            streams,
            keep_alive: context.settings.keep_alive,
            over: Over { wait: hangs.0.over(), is_over: false },
            is_silent: true,
            is_lost: false,
            // The client may come back to another node faster than this one hears that it went.
            notes_at_once: !context.engine().settings().alone,
        };
        hung.run(answer, Duration::from_secs(60 * u64::from(self.minutes))).await;
        Ok(())
    }
}

/// The subscription with this id, and where it goes on.
async fn open(context: &Context<'_>, id: &str) -> Result<(Subscription, Place), Failure> {
    let subscription = notification::open(context, id).await?;
    match subscription.channel() {
        Channel::Streaming => {}
        Channel::Pull { .. } => return Err(ResponseCode::ErrorInvalidSubscription.into()),
    }
    let place = subscription.left_at().await?;
    Ok((subscription, place))
}

fn close_with(answer: &mut Answer, failure: &Failure) {
    answer.error_with(failure, |out| out.element("m:ConnectionStatus", CLOSED));
}

/// One message a code, with the ids that it befell.
fn answer_bad(answer: &mut Answer, mut bad: Vec<(Failure, String)>, status: &str) {
    while let Some((failure, _)) = bad.first().cloned() {
        let (these, others): (Vec<_>, Vec<_>) = bad.into_iter().partition(|(other, _)| other.code == failure.code);
        bad = others;
        answer.error_with(&failure, |out| {
            // In the namespace of the list, as the EWS Managed API 2.2 and exchangelib 5 read it; the published schema
            // has the other.
            out.scope("m:ErrorSubscriptionIds", |out| {
                these.iter().for_each(|(_, id)| out.element("m:SubscriptionId", id));
            });
            out.element("m:ConnectionStatus", status);
        });
    }
}

/// A subscription of a hanging request.
struct Stream {
    /// As the client wrote it.
    id: String,
    subscription: Subscription,
    /// Up to where changes were looked at.
    at: Place,
    /// Up to where its client was told.
    told: Place,
    /// Whether the store knows that, or need not.
    is_noted: bool,
}

/// Whether the program is about to end or the client is gone.
struct Over {
    wait: Wait,
    is_over: bool,
}

impl Over {
    /// Whether it is so now.
    async fn now(&mut self) -> bool {
        if !self.is_over {
            self.is_over = std::future::poll_fn(|context| Poll::Ready(self.wait.as_mut().poll(context).is_ready())).await;
        }
        self.is_over
    }
}

/// Why a wait is over.
enum Woken {
    /// Something has changed.
    Changed,
    /// The store fails.
    Failed,
    /// The client has to hear that the connection stands.
    Beat,
    /// It is time to close, or nobody listens.
    End,
}

/// A request while it hangs.
struct Hung<'a> {
    surroundings: &'a dyn Surroundings,
    streams: Vec<Stream>,
    keep_alive: Duration,
    over: Over,
    /// Whether nothing was sent since the last beat.
    is_silent: bool,
    /// Whether the client went without taking what it was told: nothing more is told to it.
    is_lost: bool,
    /// Whether it is noted at once how far the client was told, not only at beats and at the end.
    notes_at_once: bool,
}

impl Hung<'_> {
    async fn run(mut self, answer: &mut Answer, length: Duration) {
        answer.success(|out| out.element("m:ConnectionStatus", OK));
        answer.hang().await;
        let mut end = self.surroundings.after(length);
        let mut beat = self.surroundings.after(self.keep_alive);
        loop {
            let failed = self.tell(answer).await;
            if self.streams.is_empty() {
                return;
            }
            if self.notes_at_once {
                self.note().await;
            }
            let woken = if failed { Woken::Failed } else { self.wait(&mut beat, &mut end).await };
            match woken {
                Woken::Changed => self.surroundings.after(GATHER).await,
                Woken::Failed => self.surroundings.after(PAUSE).await,
                Woken::Beat => {
                    self.note().await;
                    if self.is_silent {
                        answer.success(|out| out.element("m:ConnectionStatus", OK));
                        answer.hang().await;
                    }
                    self.is_silent = true;
                    beat = self.surroundings.after(self.keep_alive);
                }
                Woken::End => {
                    self.note().await;
                    answer.success(|out| out.element("m:ConnectionStatus", CLOSED));
                    return;
                }
            }
            if self.over.now().await {
                self.note().await;
                answer.success(|out| out.element("m:ConnectionStatus", CLOSED));
                return;
            }
        }
    }

    /// Tells what has happened. Subscriptions that cannot go on are named and left out; when none is left, that is the
    /// last envelope. Returns whether the store failed for now.
    async fn tell(&mut self, answer: &mut Answer) -> bool {
        let (mut bad, mut failed, mut kept) = (Vec::new(), false, Vec::new());
        for mut stream in std::mem::take(&mut self.streams) {
            match self.tell_one(&mut stream, answer).await {
                Ok(()) => kept.push(stream),
                Err(SubscriptionError::Engine(error)) if error.is_passing() => {
                    failed = true;
                    kept.push(stream);
                }
                Err(error) => bad.push((Failure::from(error), stream.id)),
            }
        }
        self.streams = kept;
        if !bad.is_empty() {
            answer_bad(answer, bad, if self.streams.is_empty() { CLOSED } else { OK });
            if !self.streams.is_empty() {
                answer.hang().await;
                self.is_silent = false;
            }
        }
        failed
    }

    async fn tell_one(&mut self, stream: &mut Stream, answer: &mut Answer) -> Result<(), SubscriptionError> {
        // Ends: each page goes on behind the one before, and this follows no further than to where it is now.
        loop {
            if self.is_lost || self.over.now().await {
                return Ok(());
            }
            let page = stream.subscription.events(&stream.at, EVENTS_MAX).await?;
            let (place, more) = (page.place, page.more);
            let has_events = !page.events.is_empty();
            if has_events {
                write(answer, stream, &page);
                answer.hang().await;
                self.is_silent = false;
                self.is_lost = self.surroundings.lost();
                if self.is_lost {
                    return Ok(());
                }
            }
            stream.at = place;
            stream.told = place;
            stream.is_noted &= !has_events;
            if !more {
                return Ok(());
            }
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self, beat: &mut Wait, end: &mut Wait) -> Woken {
        let over = &mut self.over;
        if over.is_over {
            return Woken::End;
        }
        let mut waits: Vec<Pin<Box<dyn Future<Output = Woken> + Send + '_>>> = Vec::new();
        waits.push(Box::pin(async {
            (&mut over.wait).await;
            over.is_over = true;
            Woken::End
        }));
        waits.push(Box::pin(async {
            end.await;
            Woken::End
        }));
        waits.push(Box::pin(async {
            beat.await;
            Woken::Beat
        }));
        for stream in self.streams.iter().filter(|_| !self.is_lost) {
            waits.push(Box::pin(async {
                match stream.subscription.changed(&stream.at).await {
                    Ok(()) => Woken::Changed,
                    // What is wrong shows when it is read.
                    Err(SubscriptionError::NotFound) => Woken::Changed,
                    Err(_) => Woken::Failed,
                }
            }));
        }
        hanging::first(&mut waits).await.1
    }

    /// Keeps how far the clients of the subscriptions were told. Where that fails, they are told again.
    async fn note(&mut self) {
        for stream in self.streams.iter_mut().filter(|stream| !stream.is_noted) {
            match stream.subscription.note_place(&stream.told).await {
                Ok(()) => stream.is_noted = true,
                Err(error) => tracing::warn!(%error, "how far a stream came could not be kept"),
            }
        }
    }
}

fn write(answer: &mut Answer, stream: &Stream, page: &EventPage) {
    let mailbox = stream.subscription.mailbox().guid();
    answer.success(|out| {
        out.scope("m:Notifications", |out| {
            // As with ErrorSubscriptionIds: the namespace that clients read.
            notification::write(out, "m:Notification", &stream.id, mailbox, page, &Form::Bare);
        });
        out.element("m:ConnectionStatus", OK);
    });
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use engine::DeleteMode;
    use http_body::Body as _;
    use model::{ItemFlags, RootId};

    use super::*;
    use crate::testing::{Answered, World, block_on, envelope};
    use crate::{Hanging, Hangs};

    /// Surroundings whose time passes when a test says so.
    #[derive(Default)]
    struct Stage {
        seconds: AtomicU64,
        is_over: AtomicBool,
        is_lost: AtomicBool,
        taken: Arc<AtomicUsize>,
    }

    struct Seat(Arc<AtomicUsize>);

    impl Drop for Seat {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// What a test drives: shared with the waits.
    #[derive(Clone, Default)]
    struct Shared(Arc<Stage>);

    impl Surroundings for Shared {
        fn after(&self, wait: Duration) -> Wait {
            // What gathers is over at once.
            let until = self.0.seconds.load(Ordering::SeqCst) + wait.as_secs();
            let stage = Arc::clone(&self.0);
            Box::pin(std::future::poll_fn(move |_| {
                if stage.seconds.load(Ordering::SeqCst) >= until { Poll::Ready(()) } else { Poll::Pending }
            }))
        }

        fn over(&self) -> Wait {
            let stage = Arc::clone(&self.0);
            Box::pin(std::future::poll_fn(move |_| {
                if stage.is_over.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
            }))
        }

        fn lost(&self) -> bool {
            self.0.is_lost.load(Ordering::SeqCst)
        }

        fn place(&self, _account: RootId) -> Option<Box<dyn Any + Send>> {
            if self.0.taken.fetch_add(1, Ordering::SeqCst) >= 2 {
                self.0.taken.fetch_sub(1, Ordering::SeqCst);
                return None;
            }
            Some(Box::new(Seat(Arc::clone(&self.0.taken))))
        }
    }

    impl Shared {
        fn pass(&self, seconds: u64) {
            self.0.seconds.fetch_add(seconds, Ordering::SeqCst);
        }
    }

    fn subscribe(world: &World, folders: &str) -> String {
        let all = if folders.is_empty() { " SubscribeToAllFolders=\"true\"" } else { "" };
        let kinds: String = ["Copied", "Created", "Deleted", "Modified", "Moved", "NewMail", "FreeBusyChanged"]
            .map(|kind| format!("<t:EventType>{kind}Event</t:EventType>"))
            .concat();
        let answer = world.call(&format!(
            "<Subscribe><StreamingSubscriptionRequest{all}>{folders}<t:EventTypes>{kinds}</t:EventTypes>\
             </StreamingSubscriptionRequest></Subscribe>"
        ));
        let answer = answer.success();
        assert!(!answer.xml.contains("Watermark"));
        answer.text("SubscriptionId")
    }

    const INBOX: &str = "<t:FolderIds><t:DistinguishedFolderId Id=\"inbox\"/></t:FolderIds>";

    /// A request that hangs.
    struct Hung<'a> {
        world: &'a World,
        body: crate::Body,
    }

    impl<'a> Hung<'a> {
        fn ask(world: &'a World, shared: &Shared, ids: &[&str]) -> (Self, bool) {
            let ids: String = ids.iter().map(|id| format!("<t:SubscriptionId>{id}</t:SubscriptionId>")).collect();
            let request = format!(
                "<GetStreamingEvents><SubscriptionIds>{ids}</SubscriptionIds><ConnectionTimeout>2</ConnectionTimeout>\
                 </GetStreamingEvents>"
            );
            let mut request = http::Request::post("/").body(bytes::Bytes::from(envelope("", &request))).unwrap();
            request.extensions_mut().insert(Hangs(Arc::new(shared.clone())));
            let response = block_on(world.ews.handle(&world.caller, request));
            assert_eq!(response.status(), 200);
            let hangs = response.extensions().get::<Hanging>().is_some();
            (Self { world, body: response.into_body() }, hangs)
        }

        /// What comes without waiting: one envelope a piece.
        fn hear(&mut self) -> (Vec<Answered>, bool) {
            let mut heard = Vec::new();
            for _ in 0..1_000 {
                match Pin::new(&mut self.body).poll_frame(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Some(frame)) => {
                        let bytes = frame.unwrap().into_data().unwrap();
                        let xml = String::from_utf8(bytes.to_vec()).unwrap();
                        assert!(xml.starts_with("<?xml") && xml.ends_with("</Envelope>"), "{xml}");
                        assert!(xml.contains("<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\">"));
                        self.world.keep(&xml);
                        heard.push(Answered { status: 200, xml });
                    }
                    Poll::Ready(None) => return (heard, true),
                    // What gathers changes is done at the next look.
                    Poll::Pending => {}
                }
            }
            (heard, false)
        }

        /// The kinds of events that are heard, and `OK`, `Closed` or codes for what has none.
        fn shape(&mut self) -> String {
            let (heard, ended) = self.hear();
            let mut shape: Vec<String> = Vec::new();
            for answer in heard {
                let codes = answer.codes().into_iter().filter(|code| code != "NoError");
                shape.extend(codes);
                let has_events = answer.xml.contains("<m:Notifications>");
                if has_events {
                    shape.extend(answer.children("Notification").into_iter().skip(1));
                }
                let status = answer.text("ConnectionStatus");
                shape.extend(Some(status).filter(|status| !has_events || status != OK));
            }
            shape.extend(ended.then(|| "end".to_owned()));
            shape.join(" ")
        }
    }

    #[test]
    fn events_come_as_they_happen() {
        let world = World::new();
        let shared = Shared::default();
        let (inbox, all) = (subscribe(&world, INBOX), subscribe(&world, ""));
        world.message("inbox", "before");
        let (mut hung, hangs) = Hung::ask(&world, &shared, &[&inbox, &all, &inbox]);
        assert!(hangs);
        let (heard, ended) = hung.hear();
        assert!(!ended);
        assert_eq!(heard[0].children("GetStreamingEventsResponseMessage"), ["ResponseCode", "ConnectionStatus"]);
        assert_eq!(heard.len(), 3);
        for (answer, id) in heard[1..].iter().zip([&inbox, &all]) {
            assert_eq!(answer.text("SubscriptionId"), *id);
            assert_eq!(answer.children("Notification"), ["SubscriptionId", "CreatedEvent", "ModifiedEvent"]);
            assert_eq!(answer.children("CreatedEvent"), ["TimeStamp", "ItemId", "ParentFolderId"]);
            assert_eq!(answer.attributes("ItemId", "ChangeKey"), ["CQAAAA=="]);
            assert_eq!(answer.children("ModifiedEvent"), ["TimeStamp", "FolderId", "ParentFolderId", "UnreadCount"]);
            assert_eq!(answer.text("UnreadCount"), "1");
            assert_eq!(answer.text("ConnectionStatus"), "OK");
        }
        assert_eq!(hung.shape(), "");
        world.message("drafts", "elsewhere");
        assert_eq!(hung.shape(), "CreatedEvent ModifiedEvent");
        // While nothing happens, it says so at each beat.
        shared.pass(45);
        assert_eq!(hung.shape(), "");
        shared.pass(44);
        assert_eq!(hung.shape(), "");
        shared.pass(1);
        assert_eq!(hung.shape(), "OK");
        world.message("inbox", "later");
        assert_eq!(hung.shape(), "CreatedEvent ModifiedEvent CreatedEvent ModifiedEvent");
        shared.pass(30);
        assert_eq!(hung.shape(), "Closed end");
        // The next one goes on behind it.
        world.message("inbox", "between");
        let (mut hung, _) = Hung::ask(&world, &shared, &[&inbox]);
        assert_eq!(hung.shape(), "OK CreatedEvent ModifiedEvent");
        // The client goes before it has taken what there was; that is told again.
        world.message("inbox", "lost");
        shared.0.is_lost.store(true, Ordering::SeqCst);
        assert_eq!(hung.hear().0.len(), 1);
        shared.0.is_over.store(true, Ordering::SeqCst);
        assert_eq!(hung.shape(), "Closed end");
        // The server stops, or the client goes after it has.
        let again = Shared::default();
        let (mut hung, _) = Hung::ask(&world, &again, &[&inbox]);
        assert_eq!(hung.shape(), "OK CreatedEvent ModifiedEvent");
        again.0.is_over.store(true, Ordering::SeqCst);
        assert_eq!(hung.shape(), "Closed end");
        let again = Shared::default();
        let (mut hung, _) = Hung::ask(&world, &again, &[&inbox]);
        assert_eq!(hung.shape(), "OK");
        // Cut off, with something told: it is told again, and the place is given back.
        world.message("inbox", "cut");
        assert_eq!(hung.shape(), "CreatedEvent ModifiedEvent");
        assert_eq!(again.0.taken.load(Ordering::SeqCst), 1);
        drop(hung);
        assert_eq!(again.0.taken.load(Ordering::SeqCst), 0);
        let (mut hung, _) = Hung::ask(&world, &again, &[&inbox]);
        assert_eq!(hung.shape(), "OK CreatedEvent ModifiedEvent");
    }

    #[test]
    fn many_events_come_in_bounded_envelopes() {
        let world = World::new();
        let shared = Shared::default();
        let inbox = subscribe(&world, INBOX);
        for number in 0..120 {
            world.message("inbox", &number.to_string());
        }
        let (mut hung, _) = Hung::ask(&world, &shared, &[&inbox]);
        let (heard, _) = hung.hear();
        let counts: Vec<usize> = heard[1..].iter().map(|answer| answer.children("Notification").len() - 1).collect();
        assert_eq!(counts, [50, 50, 21]);
    }

    #[test]
    fn subscriptions_that_cannot_be_served_are_listed() {
        let world = World::new();
        let shared = Shared::default();
        let (one, two) = (subscribe(&world, INBOX), subscribe(&world, INBOX));
        let (mut hung, hangs) = Hung::ask(&world, &shared, &["AAA-"]);
        assert!(!hangs);
        let (heard, ended) = hung.hear();
        assert!(ended);
        assert_eq!(
            heard[0].children("GetStreamingEventsResponseMessage"),
            ["MessageText", "ResponseCode", "DescriptiveLinkKey", "ErrorSubscriptionIds", "ConnectionStatus"]
        );
        assert_eq!(heard[0].text("MessageText"), "Subscription is invalid.");
        assert_eq!((heard[0].codes(), heard[0].texts("SubscriptionId")), (vec!["ErrorInvalidSubscription".into()], vec!["AAA-".into()]));
        assert_eq!(heard[0].text("ConnectionStatus"), "Closed");
        // Some of several.
        let end = |id: &str| world.call(&format!("<Unsubscribe><SubscriptionId>{id}</SubscriptionId></Unsubscribe>"));
        end(&two).success();
        let (mut hung, hangs) = Hung::ask(&world, &shared, &["AAA-", &one, &two, "BBB-"]);
        assert!(hangs);
        let (heard, _) = hung.hear();
        assert_eq!(heard[0].codes(), ["ErrorInvalidSubscription", "ErrorSubscriptionNotFound"]);
        assert_eq!(heard[0].texts("SubscriptionId"), ["AAA-", "BBB-", &two]);
        assert_eq!(heard[0].texts("ConnectionStatus"), ["OK", "OK"]);
        assert_eq!(heard[1].text("ConnectionStatus"), "OK");
        // Ended while it hangs, here or at another node: at the next beat at the latest.
        end(&one).success();
        assert_eq!(end(&one).codes(), ["ErrorSubscriptionNotFound"]);
        shared.pass(45);
        assert_eq!(hung.shape(), "OK ErrorSubscriptionNotFound Closed end");
        assert_eq!(shared.0.taken.load(Ordering::SeqCst), 0);
        // No more places than there are; none without surroundings.
        let three = subscribe(&world, "");
        let held: Vec<_> = (0..2).map(|_| Hung::ask(&world, &shared, &[&three])).collect();
        let (mut hung, hangs) = Hung::ask(&world, &shared, &[&three]);
        assert_eq!((hung.shape(), hangs), ("ErrorExceededConnectionCount Closed end".to_owned(), false));
        drop(held);
        let answer = world.call(&format!(
            "<GetStreamingEvents><SubscriptionIds><t:SubscriptionId>{three}</t:SubscriptionId></SubscriptionIds>\
             <ConnectionTimeout>1</ConnectionTimeout></GetStreamingEvents>"
        ));
        assert_eq!(answer.valid().codes(), ["ErrorExceededConnectionCount"]);
        let ids: Vec<String> = (0..201).map(|number| format!("A{number}")).collect();
        let (mut hung, _) = Hung::ask(&world, &shared, &ids.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(hung.shape(), "ErrorExceededSubscriptionCount Closed end");
    }

    #[test]
    fn a_store_that_fails_for_now_costs_time_alone() {
        let (world, store) = World::faulty();
        let shared = Shared::default();
        let inbox = subscribe(&world, INBOX);
        let (mut hung, _) = Hung::ask(&world, &shared, &[&inbox]);
        assert_eq!(hung.shape(), "OK");
        for skip in 0..8 {
            let (id, _) = world.message("inbox", "x");
            store.fail_read(skip, store::faulty::ReadFault::TryAgain);
            let mut heard = hung.shape();
            shared.pass(5);
            heard.push_str(&hung.shape());
            store.heal();
            shared.pass(5);
            heard.push_str(&hung.shape());
            assert!(heard.starts_with("CreatedEvent ModifiedEvent"), "{skip} {id}: {heard}");
        }
    }

    /// A folder that goes, and rights to it.
    #[test]
    fn what_happens_to_folders_is_told() {
        let world = World::new();
        let shared = Shared::default();
        let new = engine::NewFolder { display_name: "New".into(), ..engine::NewFolder::default() };
        let folder = block_on(world.mailbox().create_folder(world.folder("inbox"), new)).unwrap().id();
        let id = crate::id::folder_id(world.caller.mailbox_guid, folder);
        let watched = subscribe(&world, &format!("<t:FolderIds><t:FolderId Id=\"{id}\"/></t:FolderIds>"));
        let (mut hung, _) = Hung::ask(&world, &shared, &[&watched]);
        assert_eq!(hung.shape(), "OK");
        let content = model::ItemContent::default();
        block_on(world.mailbox().create_item(folder, content, ItemFlags::default())).unwrap();
        assert_eq!(hung.shape(), "CreatedEvent ModifiedEvent");
        block_on(world.mailbox().delete_folder(folder, DeleteMode::Hard)).unwrap();
        assert_eq!(hung.shape(), "DeletedEvent");
        world.message("inbox", "other");
        assert_eq!(hung.shape(), "");
    }
}
