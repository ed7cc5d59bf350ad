//! A second person is there only where whoever opened the store said how.

use jiff::civil::date;

use super::house::{actor, with_house};
use crate::{Central, CentralError, CountEnd, StockCount};
use document::OfficeCode;

async fn closes(central: &Central) -> Result<CountEnd, CentralError> {
    let place = OfficeCode::parse("CENTRAL").unwrap();
    let day = date(2026, 11, 20);
    let keeper = actor("keeper");
    central
        .close_day(&keeper, &place, day, "quality", StockCount::default())
        .await
}

#[test]
fn a_store_that_nobody_said_it_of_has_no_second_person() {
    with_house(
        "scenarios::second_persons::a_store_that_nobody_said_it_of_has_no_second_person",
        async |house| {
            let opened = Central::open(house.config()).await.unwrap();
            let copy = opened.clone();
            let elsewhere = tokio::spawn(async move { closes(&copy).await });
            for ended in [
                closes(&opened).await,
                elsewhere.await.unwrap(),
                closes(&house.central.with_nobody()).await,
                closes(&house.central.on_trial()).await,
            ] {
                assert!(matches!(ended, Err(CentralError::SecondPerson)));
            }
            let days = house.scalar("SELECT CAST(count(*) AS TEXT) FROM day_close");
            assert_eq!(days.await, "0", "nothing is kept");

            // The word goes with the handle, into whatever runs beside.
            let own = opened.on_own_machine();
            let done = tokio::spawn(async move { closes(&own).await });
            assert_eq!(done.await.unwrap().unwrap(), CountEnd::Agrees);
            assert!(
                matches!(closes(&opened).await, Err(CentralError::SecondPerson)),
                "and not to the others"
            );
            opened.close().await;
        },
    );
}
