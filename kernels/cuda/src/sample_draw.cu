// The second pass of sampling: a block draws the token of a row from its pieces, and lists
// the likeliest tokens.
//
// All filters keep a prefix of the vocabulary in order of rank: the larger logit first, of
// equals the lower token. As kernels/cpu does, tokens are counted and weighed in bins by
// probability, down to a bin that is far enough; in the bin where a prefix ends, the end is
// found by the digits of the rank. Nothing is sorted.
#include "random.cuh"
#include "sample.cuh"

using namespace dp;
using namespace dp::sample;

constexpr int most_threads = 256;  // a block has as many warps as its row is worth
constexpr int slots = 256;
constexpr int bins = slots;       // the last one takes all that is less likely
constexpr int bins_per_nat = 8;   // a bin spans 1/8 of log-probability
constexpr int capacity = 2048;    // of candidates that are kept at hand
constexpr int at_once = 256;      // tokens of a list
constexpr int none = slots;        // no slot of Sums
constexpr uint64_t last = ~uint64_t(0);

// Sums counts tokens and adds up weights in slots.
struct Sums {
	uint32_t count[slots];
	uint32_t low[slots], high[slots];  // of the weights, in multiples

	DP_DEVICE void clear() {
		for (int i = threadIdx.x; i < slots; i += blockDim.x) count[i] = low[i] = high[i] = 0;
		__syncthreads();
	}
	// add carries by hand: shared memory adds 32 bits in one operation, and no more.
	DP_DEVICE void add(int slot, uint64_t x) {
		uint32_t part = uint32_t(x), before = atomicAdd(&low[slot], part);
		uint32_t rest = uint32_t(x >> 32) + (before + part < before);
		if (rest != 0) atomicAdd(&high[slot], rest);
	}
	DP_DEVICE uint64_t mass(int slot) const { return uint64_t(high[slot]) << 32 | low[slot]; }
	DP_DEVICE uint64_t of(int slot, bool weighed) const { return weighed ? mass(slot) : count[slot]; }
};

struct Found {
	int slot;         // none: the sum of all is no larger than the target
	uint32_t count;   // of the slot
	uint64_t before;  // the sum of the slots before it
};

struct Candidate {
	float logit;
	int token;
};

// The memory of the block.
struct Block {
	Sums bins, digits;
	Found found;
	Candidate candidates[capacity];
	uint32_t listed;  // of them, those that have no room counted
	uint64_t ranks[at_once];
	uint32_t ranked;
	uint32_t sum[2];
	int max, first;
	int token;
};

// find returns the first slot at which the sum of counts or weights exceeds target. The slots
// are complete when it is called, and may be changed when it has returned.
DP_DEVICE Found find(Block& b, const Sums& sums, bool weighed, uint64_t target) {
	__syncthreads();
	if (threadIdx.x < 32) {
		int lane = threadIdx.x;
		uint64_t own = 0;
		for (int i = 8 * lane; i < 8 * lane + 8; i++) own += sums.of(i, weighed);
		uint64_t through = own;
		for (int by = 1; by < 32; by *= 2) {
			uint64_t other = __shfl_up_sync(all_lanes, through, by);
			if (lane >= by) through += other;
		}
		uint64_t before = through - own;
		if (lane == 31 && through <= target) b.found = Found{none, 0, through};
		if (before <= target && target < through) {
			int slot = 8 * lane;
			for (uint64_t x; before + (x = sums.of(slot, weighed)) <= target; slot++) before += x;
			b.found = Found{slot, sums.count[slot], before};
		}
	}
	__syncthreads();
	Found found = b.found;
	__syncthreads();
	return found;
}

// add_up is the sum of x over the threads of the block.
DP_DEVICE uint64_t add_up(Block& b, uint64_t x) {
	if (threadIdx.x == 0) b.sum[0] = b.sum[1] = 0;
	__syncthreads();
	uint32_t part = uint32_t(x);
	if (x != 0) {
		uint32_t before = atomicAdd(&b.sum[0], part), rest = uint32_t(x >> 32) + (before + part < before);
		if (rest != 0) atomicAdd(&b.sum[1], rest);
	}
	__syncthreads();
	uint64_t sum = uint64_t(b.sum[1]) << 32 | b.sum[0];
	__syncthreads();
	return sum;
}

// mass_before is the weight of the slots before one.
DP_DEVICE uint64_t mass_before(Block& b, const Sums& sums, int slot) {
	uint64_t sum = 0;
	for (int i = threadIdx.x; i < slot; i += blockDim.x) sum += sums.mass(i);
	return add_up(b, sum);
}

// Logits is a row of logits with its pieces.
struct Logits {
	const float* row;
	const Piece* pieces;
	int n, count;  // logits; pieces
	bool raw;      // which of the pieces' numbers are meant
	float max, scale;
	int first;  // the first token of max; 0 if max is -Inf

	DP_DEVICE float piece_max(int p) const { return raw ? pieces[p].raw_max : pieces[p].max; }
	DP_DEVICE float piece_sum(int p) const { return raw ? pieces[p].raw_sum : pieces[p].sum; }
	DP_DEVICE uint64_t mass(float l) const { return multiples(weight(l, max, scale)); }
	// piece_mass is the sum of a piece's weights against the row's maximum.
	DP_DEVICE uint64_t piece_mass(int p) const {
		return multiples(double(piece_sum(p)) * double(weight(piece_max(p), max, scale)));
	}
	// bin is monotone: a larger logit is never in a later bin.
	DP_DEVICE int bin(float l) const {
		float x = __fmul_rn(__fmul_rn(__fsub_rn(max, l), scale), bins_per_nat);
		return x < bins - 1 && l > minus_infinity ? int(x) : bins - 1;
	}
	DP_DEVICE int token_bits() const { return 32 - __clz(n); }
	// rank is lower for what is more likely.
	DP_DEVICE uint64_t rank(float l, int token) const {
		return uint64_t(uint32_t(ordered(max)) - uint32_t(ordered(l))) << token_bits() | uint32_t(token);
	}
	DP_DEVICE float logit(uint64_t rank) const { return unordered(int(uint32_t(ordered(max)) - uint32_t(rank >> token_bits()))); }
	DP_DEVICE int token(uint64_t rank) const { return int(rank & ((uint64_t(1) << token_bits()) - 1)); }

	DP_DEVICE void find_max(Block& b);
};

DP_DEVICE void Logits::find_max(Block& b) {
	if (threadIdx.x == 0) {
		b.max = ordered(minus_infinity);
		b.first = count;
	}
	__syncthreads();
	int m = ordered(minus_infinity);
	for (int p = threadIdx.x; p < count; p += blockDim.x) m = ::max(m, ordered(piece_max(p)));
	m = __reduce_max_sync(all_lanes, m);
	if (threadIdx.x % 32 == 0) atomicMax(&b.max, m);
	__syncthreads();
	max = unordered(b.max);
	int p = threadIdx.x;
	while (p < count && piece_max(p) != max) p += blockDim.x;
	p = __reduce_min_sync(all_lanes, p);
	if (threadIdx.x % 32 == 0) atomicMin(&b.first, p);
	__syncthreads();
	p = b.first;
	__syncthreads();
	if (threadIdx.x == 0) b.first = p * piece + piece;
	__syncthreads();
	for (int i = p * piece + threadIdx.x; i < min(n, (p + 1) * piece); i += blockDim.x) {
		if (number(row[i]) == max) atomicMin(&b.first, i);
	}
	__syncthreads();
	first = b.first < n ? b.first : 0;
	__syncthreads();
}
// Set is a part of the candidates, in an order: those of a bin up to a rank, in order of rank
// or of token.
struct Set {
	int bin;
	uint64_t limit;
	bool by_token;
};

// Search looks for the ends of prefixes among the candidates of a row: the tokens of the bins
// before depth.
struct Search {
	Block& b;
	const Logits& l;
	int depth;
	uint32_t listed;  // how many there are
	bool at_hand;     // they are in b.candidates

	// visit calls f with the logit and the token of each candidate, in whatever order.
	template <typename F>
	DP_DEVICE void visit(F f) const {
		if (at_hand) {
			for (uint32_t i = threadIdx.x; i < listed; i += blockDim.x) f(b.candidates[i].logit, b.candidates[i].token);
			return;
		}
		int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
		for (int base = 0; base < l.count; base += blockDim.x) {
			int own = base + lane * warps + warp;
			float m = own < l.count ? l.piece_max(own) : minus_infinity;
			unsigned some = __ballot_sync(all_lanes, m > minus_infinity && l.bin(m) < depth);
			for (; some != 0; some &= some - 1) {
				int p = base + (__ffs(some) - 1) * warps + warp;
				float logits[piece / 32];
				for (int k = 0; k < piece / 32; k++) {
					int i = p * piece + 32 * k + lane;
					logits[k] = i < l.n ? number(l.row[i]) : minus_infinity;
				}
				for (int k = 0; k < piece / 32; k++) {
					if (logits[k] > minus_infinity && l.bin(logits[k]) < depth) f(logits[k], p * piece + 32 * k + lane);
				}
			}
		}
	}

	// fill counts and weighs the candidates down to a depth in bins.
	DP_DEVICE void fill(int to) {
		depth = to;
		at_hand = false;
		if (threadIdx.x == 0) b.listed = 0;
		b.bins.clear();
		visit([&](float logit, int token) {
			int bin = l.bin(logit);
			atomicAdd(&b.bins.count[bin], 1);
			b.bins.add(bin, l.mass(logit));
			uint32_t i = atomicAdd(&b.listed, 1);
			if (i < capacity) b.candidates[i] = Candidate{logit, token};
		});
		__syncthreads();
		listed = b.listed;
		at_hand = listed <= capacity;
		__syncthreads();
	}

	DP_DEVICE bool in(const Set& s, float logit, int token, uint64_t& key) const {
		if (l.bin(logit) != s.bin) return false;
		key = l.rank(logit, token);
		if (key > s.limit) return false;
		if (s.by_token) key = uint32_t(token);
		return true;
	}

	// end is the first place in a set's order at which the sum of counts or weights exceeds
	// target, which it does somewhere, as the last number that is there; the numbers from
	// there on down to first are of no other candidate of the set.
	DP_DEVICE uint64_t end(const Set& s, bool weighed, uint64_t target, uint64_t& first) const {
		int bits = l.token_bits() + (s.by_token ? 0 : 32), shift = (bits + 7) / 8 * 8;
		uint64_t prefix = 0;
		uint32_t count;  // of the candidates that begin so
		do {
			shift -= 8;
			b.digits.clear();
			visit([&](float logit, int token) {
				uint64_t key;
				if (!in(s, logit, token, key) || key >> shift >> 8 != prefix) return;
				int digit = key >> shift & 255;
				atomicAdd(&b.digits.count[digit], 1);
				if (weighed) b.digits.add(digit, l.mass(logit));
			});
			Found f = find(b, b.digits, weighed, target);
			target -= f.before;
			count = f.count;
			prefix = prefix << 8 | uint64_t(f.slot);
		} while (shift > 0 && count > 1);
		first = prefix << shift;
		return first + ((uint64_t(1) << shift) - 1);
	}

	// token is the one candidate at the end.
	DP_DEVICE int token(const Set& s, uint64_t target) const {
		uint64_t first, through = end(s, true, target, first);
		visit([&](float logit, int token) {
			uint64_t key;
			if (in(s, logit, token, key) && key >= first && key <= through) b.token = token;
		});
		__syncthreads();
		return b.token;
	}

	// mass is the weight of a set.
	DP_DEVICE uint64_t mass(const Set& s) const {
		uint64_t sum = 0, key;
		visit([&](float logit, int token) {
			if (in(s, logit, token, key)) sum += l.mass(logit);
		});
		return add_up(b, sum);
	}
};

// Prefix is the likeliest tokens: those of all bins before bin and, of bin, those up to a rank,
// if any.
struct Prefix {
	int bin;
	bool some;
	uint64_t limit;

	DP_DEVICE bool has(int of, uint64_t rank) const { return of < bin || (of == bin && some && rank <= limit); }
	DP_DEVICE Prefix shorter(const Prefix& q) const {
		if (q.bin != bin) return q.bin < bin ? q : *this;
		if (!some || !q.some) return some ? q : *this;
		return q.limit < limit ? q : *this;
	}
};

// filtered draws a token from what the filters keep.
DP_DEVICE int filtered(Block& b, const Logits& l, const Row& r) {
	Search search{b, l, 0, 0, false};
	uint64_t whole = 0;  // the sum of all weights
	for (int p = threadIdx.x; p < l.count; p += blockDim.x) whole += l.piece_mass(p);
	whole = add_up(b, whole);
	float lowest = float(double(l.max) + r.min_logit);
	// Filters look down to a depth, one after the other until they have seen enough.
	uint64_t all = 0, target = 0;
	for (int depth = 16;; depth *= 2) {
		search.fill(depth);
		all = find(b, b.bins, true, last).before;
		bool enough = depth == bins;
		if (r.does & by_count) {
			enough |= search.listed >= uint32_t(r.top_k);
		} else if (r.does & by_mass) {
			enough |= double(all) >= double(r.top_p) * double(whole);
		} else {
			enough |= r.does & by_logit && l.bin(lowest) < depth;
		}
		if (enough) break;
	}
	Prefix kept{bins, false, 0};
	uint64_t first;
	if (r.does & by_count) {
		whole = all;
		Found f = find(b, b.bins, false, r.top_k - 1);
		if (f.slot != none) {
			uint64_t rest = r.top_k - f.before;
			if (rest == f.count) {
				kept = Prefix{f.slot + 1, false, 0};
				whole = mass_before(b, b.bins, f.slot + 1);
			} else {
				kept = Prefix{f.slot, true, search.end(Set{f.slot, last, false}, false, rest - 1, first)};
				whole = mass_before(b, b.bins, f.slot) + search.mass(Set{f.slot, kept.limit, false});
			}
		}
	}
	if (r.does & by_mass) {
		target = uint64_t(ceil(double(r.top_p) * double(whole)));
		Found f = find(b, b.bins, true, target == 0 ? 0 : target - 1);
		if (f.slot != none) {
			uint64_t rest = (target == 0 ? 0 : target - 1) - f.before;
			kept = kept.shorter(Prefix{f.slot, true, search.end(Set{f.slot, last, false}, true, rest, first)});
		}
	}
	if (r.does & by_logit) {
		kept = kept.shorter(Prefix{l.bin(lowest), true, l.rank(lowest, 0) | ((uint64_t(1) << l.token_bits()) - 1)});
	}
	uint64_t before = mass_before(b, b.bins, kept.bin), mass = before;
	if (kept.some) mass += search.mass(Set{kept.bin, kept.limit, false});
	target = uint64_t(uniform(r.seed, r.trace, r.position) * double(mass));
	if (target >= mass) target = mass - 1;
	if (target >= before) return search.token(Set{kept.bin, kept.limit, false}, target - before);
	Found f = find(b, b.bins, true, target);
	return search.token(Set{f.slot, last, true}, target - f.before);
}

// unfiltered draws a token from all: it finds the piece and then walks through it.
DP_DEVICE int unfiltered(Block& b, const Logits& l, const Row& r) {
	int each = (l.count + slots - 1) / slots;  // pieces of a slot
	b.digits.clear();
	for (int p = threadIdx.x; p < l.count; p += blockDim.x) b.digits.add(p / each, l.piece_mass(p));
	uint64_t mass = find(b, b.digits, true, last).before;
	uint64_t target = uint64_t(uniform(r.seed, r.trace, r.position) * double(mass));
	if (target >= mass) target = mass - 1;
	Found f = find(b, b.digits, true, target);
	int p = f.slot * each;
	target -= f.before;
	uint64_t of;
	for (; target >= (of = l.piece_mass(p)); p++) target -= of;
	// The piece's weights against its own maximum, in order of token.
	b.digits.clear();
	for (int i = p * piece + threadIdx.x; i < min(l.n, (p + 1) * piece); i += blockDim.x) {
		b.digits.add(i % piece, multiples(weight(number(l.row[i]), l.piece_max(p), l.scale)));
	}
	mass = find(b, b.digits, true, last).before;
	target = uint64_t(double(target) / double(of) * double(mass));
	if (target >= mass) target = mass - 1;
	static_assert(slots == piece, "a slot holds a logit of a piece");
	return p * piece + find(b, b.digits, true, target).slot;
}

// list writes the likeliest tokens in order and returns how many there are, at most wanted.
DP_DEVICE int list(Block& b, const Logits& l, Likely* to, int wanted) {
	Search search{b, l, 0, 0, false};
	for (int depth = 16;; depth *= 2) {
		search.fill(depth);
		if (depth == bins || search.listed >= uint32_t(wanted)) break;
	}
	wanted = min(wanted, int(search.listed));
	Prefix before{0, false, 0}, through;
	for (int done = 0; done < wanted; done += at_once, before = through) {
		int end = min(wanted, done + at_once) - 1;
		Found f = find(b, b.bins, false, end);
		uint64_t first;
		through = Prefix{f.slot, true, search.end(Set{f.slot, last, false}, false, end - f.before, first)};
		if (threadIdx.x == 0) b.ranked = 0;
		__syncthreads();
		search.visit([&](float logit, int token) {
			uint64_t rank = l.rank(logit, token);
			int bin = l.bin(logit);
			if (through.has(bin, rank) && !before.has(bin, rank)) b.ranks[atomicAdd(&b.ranked, 1)] = rank;
		});
		__syncthreads();
		for (uint32_t own = threadIdx.x; own < b.ranked; own += blockDim.x) {
			uint64_t rank = b.ranks[own];
			int place = 0;
			for (uint32_t i = 0; i < b.ranked; i++) place += b.ranks[i] < rank;
			to[done + place] = Likely{l.token(rank), l.logit(rank)};
		}
		__syncthreads();
	}
	return wanted;
}

// A block has a row.
KERNEL((most_threads, 4), sample_draw, (Result* results, Likely* lists, const Piece* pieces, const float* logits, const float* adjusted, const Row* rows, int n)) {
	__shared__ Block b;
	const Row r = rows[blockIdx.x];
	int count = (n + piece - 1) / piece;
	Logits raw{logits + size_t(blockIdx.x) * n, pieces + size_t(blockIdx.x) * count, n, count, true, 0, 1, 0};
	raw.find_max(b);
	Result result{0, raw.max, 0, 0, 0};
	if (finite(raw.max)) {
		uint64_t sum = 0;
		for (int p = threadIdx.x; p < count; p += blockDim.x) sum += raw.piece_mass(p);
		result.z = double(add_up(b, sum)) / double(one);
	}
	if (r.listed > 0) result.listed = list(b, raw, lists + r.list, r.listed);

	Logits drawn = raw;
	drawn.raw = false;
	drawn.scale = r.scale;
	if (r.adjusted >= 0) drawn.row = adjusted + size_t(r.adjusted) * n;
	if (r.forced > 0) {
		result.token = r.forced - 1;
	} else {
		if (r.adjusted >= 0) drawn.find_max(b);
		if (drawn.max == minus_infinity) {
			result.token = r.fallback;
		} else if (!(r.does & draws) || !finite(drawn.max)) {
			result.token = drawn.first;
		} else {
			result.token = r.does & filters ? filtered(b, drawn, r) : unfiltered(b, drawn, r);
		}
	}
	result.logit = number(raw.row[result.token]);
	if (threadIdx.x == 0) results[blockIdx.x] = result;
}
