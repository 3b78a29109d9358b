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
    error: the parameter `i` is `0:9:0`, whose step is 0
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '0:9:0' }
      |                      ^^^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: '9:0' }"), @"
    error: the parameter `i` is `9:0`, which holds nothing: it steps away from its end
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '9:0' }
      |                      ^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: 'a:b' }"), @"
    error: the parameter `i` is `a:b`, which is no range of numbers
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: 'a:b' }
      |                      ^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: [] }"), @"
    error: the parameter `i` has no values
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: [] }
      |                      ^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: { from: 1 } }"), @"
    error: the parameter `i` is no list and no range
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: { from: 1 } }
      |                      ^^^^^^^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: '1:99999999' }"), @"
    error: the parameter `i` is `1:99999999`, which holds 99999999 values; the limit is 1000000
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '1:99999999' }
      |                      ^^^^^^^^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: '1:9999', k: '1:9999' }"), @"
    error: these parameters make more than 1000000 copies
     --> tea.yaml:5:19
      |
    5 |     parameters: { i: '1:9999', k: '1:9999' }
      |                   ^
      |
      = help: use fewer values, or `parameter_mode: zip`
    ");
    assert_snapshot!(with("{ i: '1:3', k: '1:4' }\n    parameter_mode: zip"), @"
    error: `i` has 3 values, and `k` has 4
     --> tea.yaml:5:19
      |
    5 |     parameters: { i: '1:3', k: '1:4' }
      |                   ^
      |
      = help: `zip` takes lists of one length
    ");
    assert_snapshot!(with("{ 'i j': '1:3' }"), @"
    error: `i j` cannot be the name of a parameter
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
    warning: 3 jobs share this name
     --> tea.yaml:3:11
      |
    3 |   - name: boil
      |           ^^^^ they are told apart by `_2`, `_3`, and so on
      |
      = help: put each parameter into the name; or, if one job is to wait for all of the others, leave `parameters` away and use `depends_on_regexes`
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
