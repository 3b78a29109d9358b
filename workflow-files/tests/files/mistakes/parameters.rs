//! Values of parameters, and the texts in which they are put.

use insta::assert_snapshot;

use crate::{odd, wrong};

#[test]
fn parameters() {
    let with = |parameters: &str| {
        wrong(&format!(
            "name: tea\njobs:\n  - name: boil_{{i}}\n    command: kettle\n    parameters: {parameters}\n"
        ))
    };
    assert_snapshot!(with("{ i: '0:9:0' }"), @"
    error: the parameter `i` is `0:9:0`, which never ends because its step is 0
     --> tea.yaml:5:27
      |
    5 |     parameters: { i: '0:9:0' }
      |                           ^
      |
      = help: use another step, or omit it: `0:9`
    ");
    assert_snapshot!(with("{ i: '9:0' }"), @"
    error: the parameter `i` is `9:0`, which is empty: from 9, steps of 1 lead away from 0
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '9:0' }
      |                      ^^^^^
      |
      = help: write `9:0:-1`, or reverse it: `0:9`
    ");
    assert_snapshot!(with("{ i: 'a:b' }"), @"
    error: the parameter `i` is `a:b`, in which `a` is not a number
     --> tea.yaml:5:23
      |
    5 |     parameters: { i: 'a:b' }
      |                       ^
      |
      = help: write numbers: `0:9`; put a text that contains `:` into a list: `['a:b']`
    ");
    assert_snapshot!(with("{ i: '0 : 9 : -1' }"), @"
    error: the parameter `i` is `0 : 9 : -1`, which is empty: from 0, steps of -1 lead away from 9
     --> tea.yaml:5:31
      |
    5 |     parameters: { i: '0 : 9 : -1' }
      |                               ^^
      |
      = help: write `0:9:1`, or reverse it: `9:0:-1`
    ");
    assert_snapshot!(with("{ i: '0:' }"), @"
    error: the parameter `i` is `0:`, a range without a last value
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '0:' }
      |                      ^^^^
      |
      = help: write `first:last` or `first:last:step`: `0:9`
    ");
    assert_snapshot!(with("{ i: '0:1:2:3' }"), @"
    error: the parameter `i` is `0:1:2:3`, which has too many colons for a range
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '0:1:2:3' }
      |                      ^^^^^^^^^
      |
      = help: write `first:last` or `first:last:step`; put a text that contains `:` into a list: `['a:b']`
    ");
    assert_snapshot!(with("{ i: '1:1e3' }"), @"
    error: the parameter `i` is `1:1e3`, in which `1e3` is written with an exponent
     --> tea.yaml:5:25
      |
    5 |     parameters: { i: '1:1e3' }
      |                         ^^^
      |
      = help: write it as a decimal: `1000`
    ");
    assert_snapshot!(with("{ i: '0:0.1234567890123456' }"), @"
    error: the parameter `i` is `0:0.1234567890123456`, in which `0.1234567890123456` has too many digits to be exact
     --> tea.yaml:5:25
      |
    5 |     parameters: { i: '0:0.1234567890123456' }
      |                         ^^^^^^^^^^^^^^^^^^
      |
      = help: write at most 18 digits before the decimal point and 15 after it
    ");
    assert_snapshot!(with("{ i: '[1, 2' }"), @"
    error: the parameter `i` is `[1, 2`, a list that is not closed
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '[1, 2' }
      |                      ^^^^^^^
      |
      = help: close it with `]`, or put it into a list if it is meant as one value
    ");
    assert_snapshot!(with("{ i: [1, [2]] }"), @"
    error: the parameter `i` contains a list as value 2
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: [1, [2]] }
      |                      ^^^^^^^^
      |
      = help: a value must be a text, a number or a boolean
    ");
    assert_snapshot!(with("{ i: }"), @"
    error: the parameter `i` has no values
     --> tea.yaml:5:20
      |
    5 |     parameters: { i: }
      |                    ^
      |
      = help: write a list: `[1, 2]`, or a range: `0:9`
    ");
    assert_snapshot!(wrong("name: tea\nvariables: { last: 9x }\njobs:\n  - name: boil_{i}\n    command: kettle\n    parameters: { i: '1:{last}' }\n"), @"
    error: the parameter `i` is `1:9x`, in which `9x` is not a number
     --> tea.yaml:6:22
      |
    6 |     parameters: { i: '1:{last}' }
      |                      ^^^^^^^^^^
      |
      = help: write numbers: `0:9`; put a text that contains `:` into a list: `['a:b']`
    ");
    assert_snapshot!(with("{ i: [] }"), @"
    error: the parameter `i` is an empty list
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: [] }
      |                      ^^
      |
      = help: write at least one value: `[1]`, or remove the parameter
    ");
    assert_snapshot!(with("{ i: { from: 1 } }"), @"
    error: the parameter `i` is a map
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: { from: 1 } }
      |                      ^^^^^^^^^^^
      |
      = help: write a list: `[1, 2]`, or a range: `0:9`
    ");
    assert_snapshot!(with("{ i: '1:99999999' }"), @"
    error: the parameter `i` is `1:99999999`, which has 99999999 values; the limit is 1000000
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '1:99999999' }
      |                      ^^^^^^^^^^^^
      |
      = help: take a larger step, such as `1:99999999:100`
    ");
    assert_snapshot!(with("{ i: '1:9999', k: '1:9999' }"), @"
    error: these parameters make 99980001 copies; the limit is 1000000
     --> tea.yaml:5:19
      |
    5 |     parameters: { i: '1:9999', k: '1:9999' }
      |                   ^            - 9999 values
      |                   |
      |                   9999 values
      |
      = help: use fewer values, or `parameter_mode: zip`
    ");
    assert_snapshot!(with("{ i: '1:3', k: '1:4' }\n    parameter_mode: zip"), @"
    error: `i` has 3 values, and `k` has 4
     --> tea.yaml:5:19
      |
    5 |     parameters: { i: '1:3', k: '1:4' }
      |                   ^         - 4 values
      |                   |
      |                   3 values
      |
      = help: `zip` needs lists of equal length; `product` combines each value with each
    ");
    assert_snapshot!(with("{ 'i j': '1:3' }"), @"
    error: `i j` is not a valid parameter name
     --> tea.yaml:5:19
      |
    5 |     parameters: { 'i j': '1:3' }
      |                   ^^^^^
      |
      = help: use letters, digits and `_`
    ");
    assert_snapshot!(with("{}\n    use_parameters: [cups]"), @"
    error: the workflow has no parameter `cups`
     --> tea.yaml:6:22
      |
    6 |     use_parameters: [cups]
      |                      ^^^^
      |
      = help: define it under `parameters` of the workflow
    ");
    assert_snapshot!(wrong("name: tea\nparameters: { cups: '1:3' }\njobs:\n  - name: boil_{cup}\n    command: kettle\n    use_parameters: [cup]\n"), @"
    error: the workflow has no parameter `cup`
     --> tea.yaml:6:22
      |
    6 |     use_parameters: [cup]
      |                      ^^^
      |
      = help: did you mean `cups`?
    ");
    assert_snapshot!(odd("name: tea\njobs:\n  - name: boil\n    command: kettle {i}\n    parameters: { i: '1:3' }\n"), @"
    warning: 3 jobs share the name `boil`
     --> tea.yaml:3:11
      |
    3 |   - name: boil
      |           ^^^^ their names get `_2`, `_3`, and so on
      |
      = help: put `{i}` into the name; or, if one job should wait for all others, remove `parameters` and use `depends_on_regexes`
    ");
    assert_snapshot!(odd("name: tea\njobs:\n  - name: boil_{cups}_{cup}\n    command: kettle\n    parameters: { cups: '1:3' }\n"), @"
    warning: `{cup}` is not a parameter of this job
     --> tea.yaml:3:17
      |
    3 |   - name: boil_{cups}_{cup}
      |                 ^^^
      |
      = help: did you mean `{cups}`?
    ");
}
