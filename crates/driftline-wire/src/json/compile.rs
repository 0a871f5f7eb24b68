//! A mapping becomes a tree of places.

use crate::place::Shape;
use crate::sink::To;
use crate::target::{Node, Target};

/// A mapping compiled for JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(super) root: Place,
    pub(super) many: Vec<To>,
    pub(crate) shape: Shape,
}

/// What is taken at one place of a document.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Where the value itself goes, besides what the rests of its parent want.
    pub(super) to: To,
    /// Where the fields go that are not named.
    pub(super) rest: To,
    pub(super) children: Vec<(Box<str>, Place)>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            to: To::Nowhere,
            rest: To::Nowhere,
            children: Vec::new(),
        }
    }
}

/// Compiles a mapping. What no layout wants is left out.
pub(crate) fn compile(tree: &Node, wanted: &dyn Fn(&Target) -> bool) -> Program {
    let mut program = Program::default();
    program.root = place(tree, &[], wanted, &mut program);
    program
}

fn place(
    node: &Node,
    outer: &[To],
    wanted: &dyn Fn(&Target) -> bool,
    program: &mut Program,
) -> Place {
    let mut to = outer.to_vec();
    to.extend(node.heads.iter().map(|&head| To::Head(head)));
    for target in node.targets.iter().filter(|target| wanted(target)) {
        to.push(To::Slot(program.shape.slots.len() as u32));
        program.shape.slots.push(target.clone());
    }
    let first = program.shape.rests.len();
    program.shape.rests.extend(node.rests.iter().cloned());
    let rests: Vec<To> = (first..program.shape.rests.len())
        .map(|rest| To::Entry(rest as u16))
        .collect();
    let children = node
        .children
        .iter()
        .map(|(name, child)| {
            let child = place(child, &rests, wanted, program);
            (name.clone().into_boxed_str(), child)
        })
        .collect();
    Place {
        to: join(to, program),
        rest: join(rests, program),
        children,
    }
}

fn join(to: Vec<To>, program: &mut Program) -> To {
    match to[..] {
        [] => To::Nowhere,
        [one] => one,
        _ => {
            let first = program.many.len() as u32;
            let count = to.len() as u32;
            program.many.extend(to);
            To::Many(first, count)
        }
    }
}
