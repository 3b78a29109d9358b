//! Application state as a parameter, and types of the host with the same name.

#![deny(warnings)]

mod with_state {
    use workflow_core::prelude::*;

    pub(crate) struct Pool(u64);

    #[job]
    pub(crate) async fn save(order: &str, db: State<Pool>, number: u64) -> Result<u64, JobError> {
        Ok(order.len() as u64 + db.0 + number)
    }

    #[job]
    fn only(mut db: State<(Pool, Vec<u8>)>, _: workflow_core::State<Pool>) -> u64 {
        db = db.clone();
        db.0.0 + db.1.len() as u64
    }

    #[register_workflow]
    async fn function(_: WorkflowContext, db: State<Pool>, input: Option<u64>) -> u64 {
        db.0 + input.unwrap_or(0)
    }

    pub(crate) fn draw(flow: &mut Flow) {
        let order = flow.value("tea".to_owned());
        flow.job(save(order, 1));
        flow.job(save::draw(order, 2));
        flow.job(only());
    }

    pub(crate) fn call() -> u64 {
        only::call(State::new((Pool(1), vec![1])), State::new(Pool(2)))
    }
}

/// A type of the host with the name, but without a parameter.
mod own_type {
    use workflow_core::job;

    #[derive(Clone, Debug)]
    pub(crate) struct State(pub(crate) u64);

    #[job]
    fn double(whole: &State, part: State) -> State {
        State(whole.0 + part.0)
    }

    pub(crate) fn call() -> u64 {
        double(&State(1), State(2)).0
    }
}

fn main() {
    with_state::draw(&mut workflow_core::Flow::new());
    assert_eq!((with_state::call(), own_type::call()), (2, 3));
}
