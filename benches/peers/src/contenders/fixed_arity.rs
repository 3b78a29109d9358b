//! Tasks with zero to eight inputs, for the two crates that share the attribute `#[task]`.

/// The maximum number of inputs in these crates.
pub(super) const LIMIT: usize = 8;

/// Defines one task per number of inputs, and `add`, which adds the matching task to a graph of type
/// `$dag`. The names `task`, `Body` and `TaskHandle` must be in scope.
macro_rules! fixed_arity {
    ($dag:ty) => {
        fixed_arity! { $dag;
            One(a);
            Two(a, b);
            Three(a, b, c);
            Four(a, b, c, d);
            Five(a, b, c, d, e);
            Six(a, b, c, d, e, f);
            Seven(a, b, c, d, e, f, g);
            Eight(a, b, c, d, e, f, g, h);
        }
    };
    ($dag:ty; $($name:ident($($input:ident),+);)+) => {
        fixed_arity!(@task Zero());
        $(fixed_arity!(@task $name($($input),+));)+

        fn add(
            dag: $dag,
            body: Body,
            handles: &[TaskHandle<u64>],
            inputs: &[u32],
        ) -> TaskHandle<u64> {
            match *inputs {
                [] => dag.add_task(Zero(body)).into(),
                $([$($input),+] => {
                    let inputs = ($(&handles[$input as usize],)+);
                    dag.add_task($name(body)).depends_on(inputs)
                })+
                _ => unreachable!("the graph has been narrowed"),
            }
        }
    };
    (@task $name:ident($($input:ident),*)) => {
        struct $name(Body);

        #[task]
        impl $name {
            #[allow(clippy::too_many_arguments, reason = "one per dependency")]
            async fn run(&self, $($input: &u64),*) -> u64 {
                self.0.run([$(*$input),*]).await
            }
        }
    };
}

pub(super) use fixed_arity;
