//! The way of a probe as text: a tree, since a flooded packet is in several places at once.
//!
//! A line goes on for as long as there is one way to go, and each branch has a line of its own. The
//! characters are those that every terminal and every log has.

use crate::observe::{Direction, Sighting};
use crate::scenario::Leg;

/// What is left of 80 columns behind the name of a detail.
const WIDTH: usize = 64;

/// How many lines are told of one leg; more of them is a loop, or a flood.
const LINES: usize = 16;

/// Writes where the packets of a leg were, a line for each branch; nothing if they were nowhere.
pub(super) fn way(sightings: &[Sighting], leg: Leg) -> String {
    let mut tree = Tree {
        sightings,
        next: vec![Vec::new(); sightings.len()],
        lines: Vec::new(),
        told: 0,
    };
    let of_leg = |at: &usize| sightings[*at].leg == leg;
    let (mut begins, mut all) = (Vec::new(), 0);
    for at in (0..sightings.len()).filter(of_leg) {
        all += 1;
        // What came from a later one would have no beginning.
        match sightings[at].from.filter(|from| *from < at) {
            Some(from) => tree.next[from].push(at),
            None => begins.push(at),
        }
    }
    for at in begins {
        tree.branch(at, "", "");
    }
    if tree.told < all {
        let more = all - tree.told;
        tree.lines.push(format!("... and {more} hops more"));
    }
    tree.lines.join("\n")
}

struct Tree<'a> {
    sightings: &'a [Sighting],
    /// What follows on each.
    next: Vec<Vec<usize>>,
    lines: Vec<String>,
    /// How many hops the lines tell.
    told: usize,
}

impl Tree<'_> {
    fn is_full(&self) -> bool {
        self.lines.len() >= LINES
    }

    /// Writes a branch behind `head`, and those that it parts into, each behind `indent`.
    fn branch(&mut self, start: usize, head: &str, indent: &str) {
        let (mut line, mut fresh, mut at) = (head.to_owned(), true, start);
        while !self.is_full() {
            let next = self.next[at].clone();
            let mut word = hop_of(&self.sightings[at]);
            if next.len() == 1 {
                word += " >";
            }
            if !fresh && line.len() + 1 + word.len() > WIDTH {
                self.lines.push(std::mem::take(&mut line));
                if self.is_full() {
                    return;
                }
                line = format!("{indent}  ");
                fresh = true;
            }
            if !fresh {
                line.push(' ');
            }
            line += &word;
            fresh = false;
            self.told += 1;
            match next[..] {
                [only] => at = only,
                [] => return self.lines.push(line),
                [ref first @ .., last] => {
                    self.lines.push(line);
                    for at in first {
                        self.branch(*at, &format!("{indent}|- "), &format!("{indent}|  "));
                    }
                    return self.branch(last, &format!("{indent}`- "), &format!("{indent}   "));
                }
            }
        }
    }
}

fn hop_of(sighting: &Sighting) -> String {
    let direction = match sighting.direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    let ends = if sighting.for_another {
        " (not for it)"
    } else {
        ""
    };
    format!("{} {direction}{ends}", sighting.on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::LinkRef;

    fn seen(on: &str, direction: Direction, leg: Leg, from: Option<usize>) -> Sighting {
        let (node, ifname) = on.split_once('/').unwrap();
        Sighting {
            on: LinkRef {
                node: node.parse().unwrap(),
                ifname: ifname.parse().unwrap(),
            },
            direction,
            leg,
            source: None,
            destination: None,
            ttl: Some(64),
            for_another: false,
            from,
        }
    }

    /// What a bridge floods: to a bystander, and up to itself.
    fn flooded() -> Vec<Sighting> {
        use Direction::{In, Out};
        let mut all = vec![
            seen("web/eth0", Out, Leg::Request, None),
            seen("host/veth0", In, Leg::Request, Some(0)),
            seen("host/veth1", Out, Leg::Request, Some(1)),
            seen("database/eth0", In, Leg::Request, Some(2)),
            seen("host/veth2", Out, Leg::Request, Some(1)),
            seen("cache/eth0", In, Leg::Request, Some(4)),
            seen("host/br0", In, Leg::Request, Some(1)),
            seen("host/br0", Out, Leg::Reply, None),
            seen("host/veth0", Out, Leg::Reply, Some(7)),
            seen("web/eth0", In, Leg::Reply, Some(8)),
        ];
        all[3].for_another = true;
        all
    }

    #[test]
    fn each_branch_has_its_line() {
        assert_eq!(
            way(&flooded(), Leg::Request),
            "web/eth0 out > host/veth0 in\n\
             |- host/veth1 out > database/eth0 in (not for it)\n\
             |- host/veth2 out > cache/eth0 in\n\
             `- host/br0 in"
        );
        assert_eq!(
            way(&flooded(), Leg::Reply),
            "host/br0 out > host/veth0 out > web/eth0 in"
        );
        assert_eq!(way(&flooded()[..7], Leg::Reply), "");
    }

    #[test]
    fn branches_of_branches_are_indented() {
        use Direction::{In, Out};
        let all = [
            seen("a/eth0", Out, Leg::Request, None),
            seen("s/p1", In, Leg::Request, Some(0)),
            seen("s/p2", Out, Leg::Request, Some(1)),
            seen("t/p1", In, Leg::Request, Some(2)),
            seen("t/p2", Out, Leg::Request, Some(3)),
            seen("t/p3", Out, Leg::Request, Some(3)),
            seen("s/p3", Out, Leg::Request, Some(1)),
        ];
        assert_eq!(
            way(&all, Leg::Request),
            "a/eth0 out > s/p1 in\n\
             |- s/p2 out > t/p1 in\n\
             |  |- t/p2 out\n\
             |  `- t/p3 out\n\
             `- s/p3 out"
        );
    }

    #[test]
    fn a_long_way_is_broken_and_an_endless_one_is_cut() {
        let hop = |at: usize| {
            let direction = [Direction::Out, Direction::In][at % 2];
            seen("router/uplink0", direction, Leg::Request, at.checked_sub(1))
        };
        let short: Vec<Sighting> = (0..4).map(hop).collect();
        assert_eq!(
            way(&short, Leg::Request),
            "router/uplink0 out > router/uplink0 in > router/uplink0 out >\n  router/uplink0 in"
        );
        let long: Vec<Sighting> = (0..1000).map(hop).collect();
        let text = way(&long, Leg::Request);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(text.lines().count(), LINES + 1);
        assert!(text.ends_with("hops more"), "{text}");
    }
}
