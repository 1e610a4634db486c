//! Claims about game days: their files, plans, and what is judged on made-up events.

mod it {
    mod assumed;
    mod changing;
    mod customers;
    mod events;
    mod faults;
    mod faults_page;
    mod history;
    mod invariants_page;
    mod judging;
    mod judging_alarms;
    mod judging_arrivals;
    mod judging_beginnings;
    mod judging_data;
    mod judging_limits;
    mod judging_order;
    mod judging_returns;
    mod loading;
    mod loading_together;
    mod measuring;
    mod planning;
    mod standard;
    mod trial;
    mod world;
}
