//! Delivery notes as makers write them, and as they must not be.

use super::*;

const LIST: &str = r#"{"format":"zimogs-delivery/v1","delivery":"D-1","blanks":2}
{"blank":"LV-0001","chips":[{"product":"travel","serial":"47D3","key_version":"FF"},{"product":"eid","serial":"4090"}]}
{"blank":"B-77","article":"booklet","number":"PB0000077"}
"#;

#[test]
fn each_line_is_a_blank_with_all_its_chips() {
    let delivery = Delivery::parse(LIST).unwrap();
    assert_eq!(delivery.reference, "D-1");
    let [card, booklet] = &delivery.blanks[..] else {
        panic!("{delivery:?}")
    };
    let versions: Vec<_> = card.chips.iter().map(|chip| chip.key_version).collect();
    assert_eq!(versions, [Some(0xFF), None]);
    assert_eq!(card.chips[1].serial, "4090");
    assert!(booklet.chips.is_empty());
    assert_eq!(booklet.article.as_deref(), Some("booklet"));
    assert_eq!(booklet.number.unwrap().to_string(), "PB0000077");
}

#[test]
fn a_line_that_is_not_sound_is_named() {
    let long = "x".repeat(MAX_LINE);
    for (from, to, fault) in [
        ("zimogs-delivery/v1", "zimogs-delivery/v2", "line 1"),
        ("\"blanks\":2", "\"blanks\":1", "line 3: there are more"),
        ("\"blanks\":2", "\"blanks\":3", "it is cut off"),
        ("\"blanks\":2", "\"blanks\":100001", "line 1"),
        ("\"serial\":\"4090\"", "\"series\":\"4090\"", "line 2"),
        ("\"FF\"", "\"FFFF\"", "line 2"),
        ("\"FF\"", "\"G0\"", "line 2"),
        ("PB0000077", "PB77", "line 3"),
        ("LV-0001", &long, "line 2"),
        ("{\"blank\":\"B-77\"", "\"blank\"", "line 3"),
    ] {
        let text = LIST.replacen(from, to, 1);
        assert_ne!(text, LIST);
        let said = Delivery::parse(&text).unwrap_err().to_string();
        assert!(said.contains(fault), "{said}");
    }
    assert!(Delivery::parse("").is_err());
}

const CSV: &str = "zimogs-delivery/v1,D-1,2\r\nblank,article,number,product,serial,key_version\r\nLV-0001,,,travel,47D3,FF\r\nLV-0001,,,eid,4090,\r\nB-77,booklet,PB0000077,,,\r\n";

#[test]
fn the_same_list_reads_the_same_as_csv() {
    let json = Delivery::parse(LIST).unwrap();
    assert_eq!(Delivery::parse(CSV).unwrap(), json);
    assert_eq!(Delivery::parse(&CSV.replace(',', ";")).unwrap(), json);
}

#[test]
fn every_line_that_is_not_sound_is_named_at_once() {
    let faults = |text: &str| match Delivery::parse(text) {
        Err(DeliveryError::Lines(faults)) => {
            faults.iter().map(|fault| fault.line).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let json = LIST.replace("\"FF\"", "\"G\"").replace("PB0000077", "PB77");
    assert_eq!(faults(&json), [2, 3]);
    let twins = LIST.replace("B-77", "lv-0001").replace("4090", "47d3");
    assert_eq!(faults(&twins), [2, 3], "a chip twice, then a blank twice");
    for (from, to, lines) in [
        ("travel,47D3,FF", "travel,47D3,GG", &[3][..]),
        ("travel,47D3,FF", "travel,,FF", &[3]),
        ("eid,4090,", "eid,47d3,", &[4]),
        ("eid,4090,", ",,", &[4]),
        ("LV-0001,,,eid", "LV-0001,other,,eid", &[4]),
        ("B-77,booklet", "B-77,\"booklet\"", &[5]),
        ("B-77,booklet", "B-77", &[5]),
        ("PB0000077", "PB77", &[5]),
        ("D-1,2", "D-1,1", &[5]),
        ("D-1,2", "D-1,x", &[1]),
        ("article,number", "number,article", &[2]),
    ] {
        let text = CSV.replacen(from, to, 1);
        assert_ne!(text, CSV);
        assert_eq!(faults(&text), lines, "{to}");
    }
    let cut = CSV.replace("D-1,2", "D-1,3");
    assert!(matches!(
        Delivery::parse(&cut),
        Err(DeliveryError::CutOff { found: 2, said: 3 })
    ));
    let many = format!(
        "zimogs-delivery/v1,D-1,2\n{}\n{}",
        COLUMNS.join(","),
        "x\n".repeat(9_999)
    );
    assert_eq!(faults(&many).len(), MAX_FAULTS);
}
