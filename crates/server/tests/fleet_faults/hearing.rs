//! Clients of EWS that are told of events: they keep no state of synchronisation, only what they have heard.

use std::collections::BTreeSet;

use testkit::{
    ews::{Ews, responses},
    tree::Reach as _,
};

use crate::mail::Place;

const KINDS: &str = "<t:EventTypes><t:EventType>CopiedEvent</t:EventType><t:EventType>CreatedEvent</t:EventType>\
    <t:EventType>DeletedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType><t:EventType>MovedEvent</t:EventType>\
    <t:EventType>NewMailEvent</t:EventType></t:EventTypes>";
/// Codes after which a client subscribes anew.
const ANEW: [&str; 4] =
    ["ErrorInvalidWatermark", "ErrorExpiredSubscription", "ErrorInvalidSubscription", "ErrorSubscriptionNotFound"];
/// Answers after which catching up is given up.
const ANSWERS_MAX: usize = 10_000;

/// Somebody who knows what lies in a place from one list of it, and from events since.
pub(crate) struct Listener {
    ews: Ews,
    place: Place,
    /// Subscription and watermark.
    at: Option<(String, String)>,
    items: BTreeSet<String>,
    pub(crate) refusals: usize,
}

impl Listener {
    /// `ews` is patient.
    pub(crate) fn new(ews: &Ews, place: Place) -> Self {
        Self { ews: ews.clone(), place, at: None, items: BTreeSet::new(), refusals: 0 }
    }

    /// Subscribes, or asks for events; how many came.
    pub(crate) fn turn(&mut self) -> usize {
        let Some((id, watermark)) = self.at.clone() else {
            self.subscribe();
            return 1;
        };
        let request = format!(
            "<m:GetEvents><m:SubscriptionId>{id}</m:SubscriptionId><m:Watermark>{watermark}</m:Watermark></m:GetEvents>"
        );
        let answer = match self.ews.attempt(&request) {
            Ok(answer) => answer,
            Err(code) if ANEW.contains(&code.as_str()) => {
                (self.at, self.refusals) = (None, self.refusals + 1);
                return 1;
            }
            Err(code) => panic!("{code} in {}", self.place.name),
        };
        let mut events = 0;
        for event in responses(&answer)[0].at("Notification").children() {
            let id_of = |name: &str| event.find(name).and_then(|id| id.attribute("Id")).map(str::to_owned);
            let here = |name: &str| id_of(name).as_ref() == Some(&self.place.id);
            match (event.local(), id_of("ItemId")) {
                ("CreatedEvent" | "NewMailEvent" | "CopiedEvent", Some(item)) if here("ParentFolderId") => {
                    self.items.insert(item);
                }
                ("DeletedEvent", Some(item)) => drop(self.items.remove(&item)),
                ("MovedEvent", Some(item)) => {
                    if let Some(old) = id_of("OldItemId") {
                        self.items.remove(&old);
                    }
                    if here("ParentFolderId") {
                        self.items.insert(item);
                    }
                }
                _ => {}
            }
            if let Some(watermark) = event.value("Watermark") {
                events += usize::from(event.local() != "StatusEvent");
                self.at = Some((id.clone(), watermark));
            }
        }
        events
    }

    /// What is listed after it has subscribed may be told once more.
    fn subscribe(&mut self) {
        let answer = self.ews.attempt(&format!(
            "<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>{}</t:FolderIds>{KINDS}<t:Timeout>60</t:Timeout>\
             </m:PullSubscriptionRequest></m:Subscribe>",
            self.place.element
        ));
        let answer = answer.unwrap_or_else(|code| panic!("{code} in {}", self.place.name));
        let message = responses(&answer)[0];
        let value = |name: &str| message.value(name).expect("a subscription");
        self.at = Some((value("SubscriptionId"), value("Watermark")));
        self.items = self.ews.read_items(&self.place.element, "Shallow").into_keys().collect();
    }

    /// Hears all that is left, and compares.
    pub(crate) fn check(&mut self, read: BTreeSet<String>) {
        for _ in 0..ANSWERS_MAX {
            if self.turn() == 0 {
                return assert_eq!(self.items, read, "what was told of {}", self.place.name);
            }
        }
        panic!("the events of {} do not come to an end", self.place.name);
    }
}
