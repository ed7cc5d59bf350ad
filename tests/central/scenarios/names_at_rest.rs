//! Holders' names in certificates: nobody reads them in the database, and what an authority has to know
//! outlives them.

use document::DataClass;
use hex::encode;

use super::cluster;
use super::house::{House, actor, sample, with_house};
use super::protection::{handed_over, keys_of, pass_days};
use crate::certificate_rows::Ordered;
use crate::{Central, DatabaseSource};

/// The sample that lives here.
const SAMPLE: &str = "01-adult";

/// Returns what must stand nowhere: the holder's names and code as applications have them and in
/// capitals, as bytes and in hexadecimal. A PrintableString or UTF8String holds the same bytes.
fn forms() -> Vec<Vec<u8>> {
    let whole: serde_json::Value =
        serde_json::from_slice(&sample(&format!("applications/{SAMPLE}"))).unwrap();
    let holder = &whole["holder"];
    let mut forms = Vec::new();
    for field in ["surname", "given_names", "personal_code"] {
        let said = holder[field].as_str().unwrap();
        for text in [said.to_owned(), said.to_uppercase(), said.replace('-', "")] {
            let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            for bytes in [text.clone().into_bytes(), utf16] {
                forms.push(encode(&bytes).into_bytes());
                forms.push(encode(&bytes).to_uppercase().into_bytes());
                forms.push(bytes);
            }
        }
    }
    forms
}

/// Returns all that stands in the database: SQLite's files, or what the server gives out of it.
fn stored(house: &House) -> Vec<u8> {
    match &house.database {
        DatabaseSource::Postgres(_) => cluster::dump(&house.database).unwrap(),
        DatabaseSource::Sqlite(file) => {
            let mut all = std::fs::read(file).unwrap();
            let mut beside = file.clone().into_os_string();
            beside.push("-wal");
            all.extend(std::fs::read(beside).unwrap_or_default());
            all
        }
    }
}

/// Returns the forms of a name that stand in some bytes.
fn found(bytes: &[u8]) -> Vec<String> {
    let forms = forms();
    let there = forms
        .iter()
        .filter(|form| bytes.windows(form.len()).any(|at| at == &form[..]));
    there
        .map(|form| String::from_utf8_lossy(form).into_owned())
        .collect()
}

async fn certificates(house: &House, number: &str) -> Vec<Option<Vec<u8>>> {
    let lines = house.central.certificates(&actor("auditor"), number).await;
    lines.unwrap().into_iter().map(|line| line.der).collect()
}

/// Stores certificates as an earlier version did.
async fn store_in_the_clear(house: &House, number: &str) {
    let central = &house.central;
    let mut tx = central.write().await.unwrap();
    for ordered in Ordered::of_number(&mut tx, number).await.unwrap() {
        let key = central.order_key(&mut tx, &ordered).await.unwrap();
        let (request, _) = ordered.request(&mut tx, &key).await.unwrap();
        let der = ordered.certificate(&key).unwrap().unwrap();
        sqlx::query("UPDATE certificate SET request = $1, exchange = $2, der = $3, sealed = 0 WHERE id = $4")
            .bind(&request[..])
            .bind(ordered.exchange(&key).unwrap().as_bytes())
            .bind(der.as_der())
            .bind(&ordered.id)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query("UPDATE authority_register SET der = $1, kept = 'unsorted', application = NULL WHERE serial = $2")
            .bind(der.as_der())
            .bind(ordered.serial())
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

#[test]
fn no_name_of_a_holder_stands_in_the_database() {
    with_house(
        "scenarios::names_at_rest::no_name_of_a_holder_stands_in_the_database",
        async |house| {
            house.prepared(SAMPLE).await;
            let number = handed_over(&house, 1).await;
            let given = certificates(&house, &number).await;
            assert_eq!(given.len(), 2);
            for der in given.iter().flatten() {
                assert!(found(der).len() > 2, "the certificate names its holder");
            }
            assert_eq!(found(&stored(&house)), Vec::<String>::new());

            // What was stored before is sealed when the store opens.
            store_in_the_clear(&house, &number).await;
            let clear = found(&stored(&house));
            assert!(clear.len() > 2, "they would be found: {clear:?}");
            house.central.close().await;
            let mut house = house;
            house.central = Central::open(house.config())
                .await
                .unwrap()
                .on_own_machine();
            assert_eq!(found(&stored(&house)), Vec::<String>::new());
            assert_eq!(certificates(&house, &number).await, given);
            let sealed = "SELECT count(*) FROM authority_register WHERE kept = 'sealed'";
            assert_eq!(house.number(sealed).await, 2);
            let audit = house.central.audit_books(&actor("auditor")).await.unwrap();
            assert_eq!(audit.faults(), Vec::<String>::new());
            house.central.close().await;
        },
    );
}

#[test]
fn where_a_certificate_stands_outlives_the_name_in_it() {
    with_house(
        "scenarios::names_at_rest::where_a_certificate_stands_outlives_the_name_in_it",
        async |house| {
            house.prepared(SAMPLE).await;
            let number = handed_over(&house, 1).await;
            let central = &house.central;
            let lines = central.certificates(&actor("auditor"), &number).await;
            let serial = hex::decode(&lines.unwrap()[0].serial).unwrap();
            let register = central.authorities().embedded().register().clone();
            let before = register.standing(&serial).await.unwrap();
            assert_eq!(before.map(|(status, _)| status), Some(pki::Status::Good));

            // Its authority was not told yet: it is told by what would be erased.
            house
                .meddle("UPDATE document SET state = 'revoked'; UPDATE certificate SET standing = 'on-hold'")
                .await;
            pass_days(&house, 92).await;
            assert_eq!(keys_of(&house, DataClass::Record).await, 1);
            house
                .meddle("UPDATE certificate SET standing = 'good'")
                .await;
            pass_days(&house, 92).await;
            assert_eq!(keys_of(&house, DataClass::Record).await, 0);

            assert_eq!(certificates(&house, &number).await, [None, None]);
            let left = "SELECT count(*) FROM certificate WHERE length(request) + length(exchange) + length(der) > 0";
            assert_eq!(house.number(left).await, 0);
            let left = "SELECT count(*) FROM authority_register WHERE length(der) > 0";
            assert_eq!(house.number(left).await, 0);
            assert_eq!(register.find(&serial).await.unwrap(), None);
            assert_eq!(register.standing(&serial).await.unwrap(), before);
            let revoked = pki::Status::Revoked(pki::RevocationReason::Superseded);
            register
                .set_status(&serial, revoked, jiff::Timestamp::now())
                .await
                .unwrap();
            let now = register.standing(&serial).await.unwrap();
            assert_eq!(now.map(|(status, _)| status), Some(revoked));
            let listed = register.listed(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
            assert!(listed.iter().any(|entry| entry.serial == serial));
        },
    );
}
