//! Which blanks the demo loads, and where: one stock for each sort of blank that the documents are
//! made of, and for each of its slots one reader a chip.

use std::collections::BTreeMap;

use profile::{ChipProfile, DocumentProfile, Interface, NumberSource};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::shipped::{self, Profiles};

/// The most readers of one PC/SC service.
const READERS: usize = 16;

/// A sort of blank: what its chips are, in the order of the document profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stock {
    /// The name of the blanks, where their chips do not say it.
    pub(crate) article: Option<String>,
    /// Whether the maker numbers them.
    pub(crate) is_numbered: bool,
    /// The kinds of document that are made of it.
    pub(crate) kinds: Vec<document::Kind>,
    /// The chips.
    pub(crate) chips: Vec<StockChip>,
    /// How many documents are made of it.
    pub(crate) documents: usize,
    /// How many slots take it.
    pub(crate) slots: usize,
}

/// A chip of a sort of blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StockChip {
    /// The chip profile.
    pub(crate) product: String,
    /// The profiles that it extends, the nearest first: a virtual chip of one of them will do.
    pub(crate) ancestors: Vec<String>,
    /// How it is reached.
    pub(crate) interface: Interface,
}

impl Stock {
    /// Returns how many readers its slots have.
    pub(crate) fn readers(&self) -> usize {
        self.slots * self.chips.len()
    }
}

/// Returns the stocks that `count` documents need, the samples used again and again. Every stock
/// gets a slot, also where that makes more than `slots`; a chip that can be of `product` is.
///
/// # Errors
/// Where no profile makes a sample's kind, where no document takes `product`, and where more readers
/// were needed than a service has.
pub(crate) fn stocks(
    profiles: &Profiles,
    count: usize,
    slots: usize,
    product: Option<&str>,
) -> Result<Vec<Stock>, Failure> {
    let usage = |fault: String| Failure::new(Kind::Usage, fault);
    let mut documents = Vec::new();
    for name in profiles.documents.names() {
        documents.push(DocumentProfile::load(&profiles.documents, name).or_fail(Kind::Usage)?);
    }
    let mut kinds = Vec::new();
    for (_, text) in shipped::applications() {
        kinds.push(kind_of(text)?);
    }
    let mut stocks: Vec<Stock> = Vec::new();
    let mut known = BTreeMap::new();
    let mut is_taken = false;
    for kind in kinds.iter().cycle().take(count) {
        let mut serving = documents.iter();
        let document = serving.find(|document| document.kinds.contains(kind));
        let document =
            document.ok_or_else(|| usage(format!("no document profile makes a {kind}")))?;
        let mut chips = Vec::new();
        for chip in &document.chips {
            let mut named = chip.products.iter();
            let wanted = named.find(|name| Some(name.as_str()) == product);
            is_taken |= wanted.is_some();
            let name = wanted.or_else(|| chip.products.first());
            let name = name.map_or_else(String::new, Clone::clone);
            if !known.contains_key(&name) {
                let chip = ChipProfile::load(&profiles.chips, &name).or_fail(Kind::Usage)?;
                known.insert(name.clone(), chip.ancestors);
            }
            chips.push(StockChip {
                ancestors: known.get(&name).cloned().unwrap_or_default(),
                product: name,
                interface: chip.interface,
            });
        }
        let is_numbered = document.number == NumberSource::Blank;
        let is_same = |stock: &&mut Stock| {
            stock.chips == chips
                && stock.article == document.article
                && stock.is_numbered == is_numbered
        };
        match stocks.iter_mut().find(is_same) {
            Some(stock) => {
                stock.documents += 1;
                if !stock.kinds.contains(kind) {
                    stock.kinds.push(*kind);
                }
            }
            None => stocks.push(Stock {
                article: document.article.clone(),
                is_numbered,
                kinds: vec![*kind],
                slots: usize::from(!chips.is_empty()),
                chips,
                documents: 1,
            }),
        }
    }
    if let Some(product) = product.filter(|_| !is_taken && count > 0) {
        return Err(usage(format!("no sample's document takes \"{product}\"")));
    }
    share(&mut stocks, slots);
    let readers: usize = stocks.iter().map(Stock::readers).sum();
    match readers <= READERS {
        true => Ok(stocks),
        false => Err(usage(format!(
            "{slots} slots need {readers} readers, and there are {READERS}; take fewer slots"
        ))),
    }
}

/// Gives the slots that are left to whichever stock has the most documents a slot.
fn share(stocks: &mut [Stock], slots: usize) {
    let given: usize = stocks.iter().map(|stock| stock.slots).sum();
    for _ in given..slots {
        // Fractions of documents do not matter: it is the busiest that gets help.
        let busiest = stocks
            .iter_mut()
            .filter(|stock| !stock.chips.is_empty())
            .max_by_key(|stock| stock.documents * READERS / stock.slots.max(1));
        if let Some(stock) = busiest {
            stock.slots += 1;
        }
    }
}

fn kind_of(text: &str) -> Result<document::Kind, Failure> {
    #[derive(serde::Deserialize)]
    struct Kinded {
        kind: document::Kind,
    }
    let kinded: Kinded = serde_json::from_str(text).or_fail(Kind::Failed)?;
    Ok(kinded.kind)
}
