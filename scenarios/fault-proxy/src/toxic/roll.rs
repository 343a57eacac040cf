//! Whom a toxic hits, and by how much, drawn from the seed.
//!
//! Each pair of connection and toxic has its own generator, made from the
//! server's seed, the proxy's name, the connection's number on that proxy and
//! the toxic's name. So the draw does not depend on how connections interleave
//! or on what other toxics there are, it is the same whenever it is asked for,
//! and raising the toxicity of a live toxic only adds connections to those hit.

use fastrand::Rng;

use super::Toxic;

/// The draws of one proxy.
#[derive(Debug, Clone)]
pub(crate) struct Roll {
    base: u64,
}

impl Roll {
    pub(crate) fn new(seed: u64, proxy: &str) -> Self {
        Self {
            base: mix(fnv1a(OFFSET_BASIS ^ mix(seed), proxy.as_bytes())),
        }
    }

    /// The generator for what `toxic` does to connection number `connection`,
    /// or `None` when the toxic does not hit it.
    pub(crate) fn hit(&self, connection: u64, toxic: &Toxic) -> Option<Rng> {
        let state = fnv1a(self.base ^ mix(connection), toxic.name.as_bytes());
        let mut rng = Rng::with_seed(mix(state));
        // In [0, 1): 1 always hits, 0 never does.
        (rng.f32() < toxic.toxicity).then_some(rng)
    }
}

/// FNV-1a's 64-bit constants. std's hasher may change between releases, and
/// with it every recorded run.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

/// The finaliser of SplitMix64: spreads neighbouring numbers over all bits.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toxic::{Attributes, Kind, Stream};

    fn toxic(name: &str, toxicity: f32) -> Toxic {
        Toxic {
            attributes: Attributes::Noop,
            name: name.to_owned(),
            kind: Kind::Noop,
            stream_text: "downstream".to_owned(),
            toxicity,
            stream: Stream::Downstream,
            id: 0,
            revision: 0,
        }
    }

    fn hits(roll: &Roll, toxic: &Toxic) -> Vec<bool> {
        (0..1000)
            .map(|connection| roll.hit(connection, toxic).is_some())
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_hits_and_another_seed_others() {
        let half = toxic("t", 0.5);
        let first = hits(&Roll::new(7, "pg"), &half);
        assert_eq!(first, hits(&Roll::new(7, "pg"), &half));
        assert_ne!(first, hits(&Roll::new(8, "pg"), &half));
        assert_ne!(first, hits(&Roll::new(7, "other"), &half));
        assert_ne!(first, hits(&Roll::new(7, "pg"), &toxic("u", 0.5)));
    }

    #[test]
    fn the_share_hit_is_the_toxicity_and_its_ends_are_exact() {
        for (toxicity, expected) in [(0.0, 0..=0), (0.25, 190..=310), (1.0, 1000..=1000)] {
            let hit = hits(&Roll::new(1, "pg"), &toxic("t", toxicity));
            let count = hit.iter().filter(|hit| **hit).count();
            assert!(
                expected.contains(&count),
                "toxicity {toxicity} hit {count} of 1000"
            );
        }
    }

    #[test]
    fn a_higher_toxicity_hits_a_superset() {
        let roll = Roll::new(3, "pg");
        let low = hits(&roll, &toxic("t", 0.3));
        let high = hits(&roll, &toxic("t", 0.6));
        assert!(low.iter().zip(&high).all(|(low, high)| !low || *high));
    }
}
