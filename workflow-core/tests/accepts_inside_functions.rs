//! Attributes inside function bodies, nested modules and macros.

#![deny(warnings)]

mod outer {
    pub(crate) mod inner {
        use workflow_core::prelude::*;

        #[derive(Debug)]
        pub(crate) struct Private(pub(crate) u8);

        #[job]
        pub(crate) fn make() -> Private {
            Private(3)
        }

        #[job]
        pub(super) fn take(private: &Private) -> u8 {
            private.0
        }
    }

    pub(crate) fn taken() -> u8 {
        inner::take(&inner::Private(4))
    }
}

macro_rules! square {
    ($name:ident, $kind:ty, $value:ident => $body:expr) => {
        #[workflow_core::job]
        fn $name($value: $kind) -> $kind {
            $body
        }
    };
}

square!(square, u64, number => number * number);

#[rustfmt::skip]
macro_rules! whole {
    ($($item:tt)*) => { $($item)* };
}

whole! {
    #[workflow_core::job(inline)]
    fn scope(flow: u8, inputs: &u8) -> u8 { flow + inputs }

    #[workflow_core::job]
    fn inputs(scope: u8) -> u8 { scope }
}

#[test]
fn attributes_work_on_nested_functions() {
    use workflow_core::prelude::*;

    #[job]
    fn local(number: u64) -> u64 {
        number + 1
    }

    #[register_workflow(name = "local")]
    fn draw(flow: &mut Flow) -> Handle<u64> {
        let nine = flow.value(square(3));
        flow.job(local(nine))
    }

    let mut flow = Flow::new();
    draw(&mut flow);
    let made = flow.job(outer::inner::make());
    let _ = made;
    assert_eq!(local(3), 4);
    assert_eq!(outer::taken(), 4);
    assert_eq!(scope(1, &2) + inputs(3), 6);
}
