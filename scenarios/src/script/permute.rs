//! pgbench's hash functions and its permutation, the same bit for bit.
//!
//! The hashes are FNV-1a and MurmurHash2 of the eight bytes of an integer. The permutation
//! draws from xoroshiro128**, seeded by `SplitMix64`, as `pg_prng` of PostgreSQL 15 does.

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
const MURMUR: u64 = 0xc6a4_a793_5bd1_e995;
/// [`MURMUR`] times the length of the input, 8, in 64 bits.
const MURMUR_OF_LENGTH: u64 = MURMUR.wrapping_mul(8);
const ROUNDS: u32 = 6;

/// FNV-1a over the bytes of a value, the lowest first.
pub(crate) fn fnv1a(value: i64, seed: i64) -> i64 {
    let bytes = value.to_le_bytes();
    let start = FNV_OFFSET ^ seed.cast_unsigned();
    let hash = bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    });
    hash.cast_signed()
}

/// `MurmurHash2` (64 bits) over a value as one block.
pub(crate) fn murmur2(value: i64, seed: i64) -> i64 {
    let mix = |x: u64| x ^ (x >> 47);
    let block = mix(value.cast_unsigned().wrapping_mul(MURMUR)).wrapping_mul(MURMUR);
    let hash = (seed.cast_unsigned() ^ MURMUR_OF_LENGTH ^ block).wrapping_mul(MURMUR);
    mix(mix(hash).wrapping_mul(MURMUR)).cast_signed()
}

/// Where a permutation of `0..size` puts a value. Each seed is another permutation.
pub(crate) fn permute(value: i64, size: i64, seed: i64) -> i64 {
    if size < 2 {
        return 0;
    }
    let mut random = Xoroshiro::new(seed.cast_unsigned());
    let size = size.cast_unsigned();
    // As in C, where the value becomes unsigned before it is divided.
    let mut place = value.cast_unsigned() % size;
    let bits = size.ilog2();
    let mask = (1_u64 << bits) - 1;
    for _ in 0..ROUNDS {
        // Scrambles the largest power of two from below, then from above: the two overlap.
        let (odd, flip) = (random.next() & mask | 1, random.next() & mask);
        if place <= mask {
            place = scrambled(place, odd, flip, bits);
        }
        let (odd, flip) = (random.next() & mask | 1, random.next() & mask);
        let from_above = size - 1 - place;
        if from_above <= mask {
            place = size - 1 - scrambled(from_above, odd, flip, bits);
        }
        // Both are below 2^63.
        place = (place + random.up_to(size - 1)) % size;
    }
    place.cast_signed()
}

/// A permutation of the numbers of some bits: times an odd number, flipped, rotated by one.
fn scrambled(value: u64, odd: u64, flip: u64, bits: u32) -> u64 {
    let mask = (1_u64 << bits) - 1;
    let value = (value.wrapping_mul(odd) ^ flip) & mask;
    ((value << 1) & mask) | (value >> (bits - 1))
}

/// The generator xoroshiro128** of Blackman and Vigna.
struct Xoroshiro {
    state: [u64; 2],
}

impl Xoroshiro {
    fn new(mut seed: u64) -> Self {
        let state = [split_mix(&mut seed), split_mix(&mut seed)];
        Self { state }
    }

    fn next(&mut self) -> u64 {
        let [first, second] = self.state;
        let mixed = second ^ first;
        self.state = [
            first.rotate_left(24) ^ mixed ^ (mixed << 16),
            mixed.rotate_left(37),
        ];
        first.wrapping_mul(5).rotate_left(7).wrapping_mul(9)
    }

    /// A number from 0 to `highest`: as many of the highest bits as it has, drawn again
    /// until they are not above it.
    fn up_to(&mut self, highest: u64) -> u64 {
        let Some(bits) = highest.checked_ilog2() else {
            return 0;
        };
        loop {
            let drawn = self.next() >> (63 - bits);
            if drawn <= highest {
                return drawn;
            }
        }
    }
}

/// `SplitMix64` of Steele, Lea and Flood.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
