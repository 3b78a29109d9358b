//! Types of a host may have any name: generated code captures none of them.

#![deny(warnings)]
#![allow(clippy::allow_attributes, reason = "the macro makes types of which only some need it")]

/// For each name: a type of that name as the output of jobs, as every kind of parameter, and as
/// the input and the output of workflows.
macro_rules! types {
    ($($name:ident $graph:literal $function:literal;)*) => {
        $(#[allow(non_snake_case, non_camel_case_types)]
        mod $name {
            use workflow_core::{job, register_workflow, registry};

            #[derive(
                std::clone::Clone, std::fmt::Debug, PartialEq, serde::Serialize, serde::Deserialize,
            )]
            pub(crate) struct $name {
                pub(crate) number: u64,
            }

            #[job(priority = 1, retry(maximum_attempts = 2, jitter = 0))]
            fn make(number: u64) -> $name {
                $name { number }
            }

            #[job(start_to_close = "1h")]
            async fn read(
                ctx: &workflow_core::JobContext,
                whole: &$name,
                maybe: std::option::Option<&$name>,
                part: $name,
            ) -> std::result::Result<$name, std::fmt::Error> {
                assert_eq!(ctx.attempt(), 1);
                Ok($name { number: whole.number + maybe.map_or(0, |it| it.number) + part.number })
            }

            #[job]
            fn list(all: workflow_core::Each<'_, $name>) -> std::vec::Vec<$name> {
                all.iter().cloned().collect()
            }

            #[register_workflow(name = $graph)]
            fn graph(
                flow: &mut workflow_core::Flow,
                first: workflow_core::Handle<$name>,
            ) -> workflow_core::Handle<std::vec::Vec<$name>> {
                let made = flow.job(make::draw(1));
                let read = flow.job(read(made, first, $name { number: 3 }));
                flow.job(list([made, read]))
            }

            #[register_workflow(name = $function)]
            fn function(input: $name) -> $name {
                input
            }

            pub(crate) fn check() {
                let input = $name { number: 10 };
                let report = registry::run($graph).input(&input).wait().expect("runs");
                let list: std::vec::Vec<$name> = report.output().expect("there is one");
                assert_eq!(list, [$name { number: 1 }, $name { number: 14 }]);
                let report = registry::run($function).input(&input).wait().expect("runs");
                assert_eq!(report.output::<$name>().expect("there is one"), input);
                assert_eq!(list::call(workflow_core::Each::from(&[][..])), []);
            }
        })*

        #[test]
        fn types_of_the_host_are_not_captured() {
            $($name::check();)*
        }
    };
}

types! {
    Arg "graph of Arg" "function of Arg";
    AttemptContext "graph of AttemptContext" "function of AttemptContext";
    Bind "graph of Bind" "function of Bind";
    Body "graph of Body" "function of Body";
    Both "graph of Both" "function of Both";
    Call "graph of Call" "function of Call";
    GraphReturn "graph of GraphReturn" "function of GraphReturn";
    Inputs "graph of Inputs" "function of Inputs";
    Invoke "graph of Invoke" "function of Invoke";
    JobError "graph of JobError" "function of JobError";
    JobOptions "graph of JobOptions" "function of JobOptions";
    JobReturn "graph of JobReturn" "function of JobReturn";
    Later "graph of Later" "function of Later";
    Mode "graph of Mode" "function of Mode";
    Now "graph of Now" "function of Now";
    NowArgs "graph of NowArgs" "function of NowArgs";
    Opt "graph of Opt" "function of Opt";
    Ownable "graph of Ownable" "function of Ownable";
    PutReturn "graph of PutReturn" "function of PutReturn";
    Reader "graph of Reader" "function of Reader";
    Ref "graph of Ref" "function of Ref";
    Scope "graph of Scope" "function of Scope";
    Val "graph of Val" "function of Val";
    Draw "graph of Draw" "function of Draw";
    Erased "graph of Erased" "function of Erased";
    JobEntry "graph of JobEntry" "function of JobEntry";
    Location "graph of Location" "function of Location";
    RetryPolicy "graph of RetryPolicy" "function of RetryPolicy";
    Type "graph of Type" "function of Type";
    Probe "graph of Probe" "function of Probe";
    AnyType "graph of AnyType" "function of AnyType";
    CanClone "graph of CanClone" "function of CanClone";
    HasSchema "graph of HasSchema" "function of HasSchema";
    Boxed "graph of Boxed" "function of Boxed";
    Node "graph of Node" "function of Node";
    Result "graph of Result" "function of Result";
    Option "graph of Option" "function of Option";
    Vec "graph of Vec" "function of Vec";
    String "graph of String" "function of String";
    Box "graph of Box" "function of Box";
    Future "graph of Future" "function of Future";
    Send "graph of Send" "function of Send";
    Clone "graph of Clone" "function of Clone";
    Output "graph of Output" "function of Output";
    Each "graph of Each" "function of Each";
    Handle "graph of Handle" "function of Handle";
    call "graph of call" "function of call";
    draw "graph of draw" "function of draw";
    inputs "graph of inputs" "function of inputs";
}
