/* Stream version 1 of weightinit: a second implementation, which follows docs/stream.md section by section.
 *
 *     cc -std=c11 -O2 -ffp-contract=off -o weightinit weightinit.c
 *     ./weightinit tables.npy 'shape=784,300&scheme=he_normal&seed=42&name=hidden1' > weights
 *     ./weightinit tables.npy < queries > vectors.jsonl
 *
 * A query is that of GET /v1/weights: percent-encoded fields of a spec, and `slice`. With a query as argument, the
 * program writes the bytes of the weights. Without one, it reads a query from each line of the standard input and
 * writes the length, the SHA-256 and the ends of the weights as a line of JSON.
 *
 * `source` names one of the sources from section 9 of the page on. Its fields are the numbers that the section
 * takes, not those of a spec. */
#include <float.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "the arithmetic must be that of the type: on x86, compile with -msse2 -mfpmath=sse"
#endif

enum { MAX_AXES = 8, MAX_NAME = 1024, MAX_QUERY = 16384, TABLE_BYTES = 2 * 1024 * 4 * 8, ENDS = 8 };
enum { UNIFORM, NORMAL, TRUNCATED_NORMAL };
enum { FAN_IN, FAN_OUT, FAN_AVG, FAN_GEO_AVG };
enum { FLOAT64, FLOAT32, FLOAT16, BFLOAT16 };

static const char DOMAIN[] = "weightinit stream", MASK_DOMAIN[] = "weightinit sparse"; /* 17 bytes each */
static const double TRUNCATED_STDDEV = 0.87962566103423978;
static const int sizes[] = {8, 4, 2, 2};

static double table[2][1024][4];
static jmp_buf refusal;
static const char *reason;

static _Noreturn void refuse(const char *why) {
    reason = why;
    longjmp(refusal, 1);
}

static void put_le(uint8_t *bytes, uint64_t value, int count) {
    for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = count; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

static double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

static double from_bits32(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* 2^exponent, for normal numbers. */
static double power(int exponent) { return from_bits((uint64_t)(1023 + exponent) << 52); }

/* --- SHA-256, FIPS 180-4 ------------------------------------------------------------------------------ */

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, int by) { return word >> by | word << (32 - by); }

static void sha256_block(uint32_t state[8], const uint8_t block[64]) {
    uint32_t w[64] = {0}, s[8];
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 4; j++) w[i] = w[i] << 8 | block[4 * i + j];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t sum1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t t1 = s[7] + sum1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
        uint32_t sum0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t t2 = sum0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

typedef struct {
    uint32_t state[8];
    uint8_t block[64];
    uint64_t length;
} sha256;

static void sha256_start(sha256 *hash) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, initial, sizeof initial);
    hash->length = 0;
}

static void sha256_add(sha256 *hash, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        hash->block[hash->length++ % 64] = ((const uint8_t *)bytes)[i];
        if (hash->length % 64 == 0) sha256_block(hash->state, hash->block);
    }
}

static void sha256_end(sha256 *hash, uint8_t digest[32]) {
    uint64_t bits = hash->length * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(hash, "\x80", 1);
    while (hash->length % 64 != 56) sha256_add(hash, "", 1);
    sha256_add(hash, length, 8);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

static void format_hex(const uint8_t *bytes, size_t count, char *text) {
    for (size_t i = 0; i < count; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* --- the query ----------------------------------------------------------------------------------------- */

enum { SHAPE, LAYOUT, GROUPS, GIVEN_IN, GIVEN_OUT, ACTIVATION, SCHEME, SCALE, MODE, SLOPE, DISTRIBUTION, STDDEV,
       PARENT_STDDEV, LIMIT, DTYPE, SEED, NAME, SLICE, SOURCE, FACTOR, MEAN, LOW, HIGH, CUT, SPARSITY, AXIS,
       GAIN, CENTER, START, STEP, BASE, DIVISOR, INTERLEAVED, COSINE_FIRST, GRID, LINE_FIRST, STEPS, FLOOR, FIELDS };

static const char *const fields[FIELDS] = {
    "shape", "layout", "groups", "fan_in", "fan_out", "activation", "scheme", "scale", "mode", "negative_slope",
    "distribution", "stddev", "parent_stddev", "limit", "dtype", "seed", "name", "slice", "source", "factor",
    "mean", "low", "high", "cut", "sparsity", "axis", "gain", "center", "start", "step",
    "base", "divisor", "interleaved", "cosine_first", "grid", "line_first", "steps", "floor"};

typedef struct {
    const char *text[FIELDS]; /* null where the query has no such field */
    size_t name_length;
    char buffer[MAX_QUERY];
} query;

static int find_word(const char *word, size_t length, const char *const words[], int count) {
    for (int i = 0; i < count; i++)
        if (strlen(words[i]) == length && !memcmp(words[i], word, length)) return i;
    return -1;
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *at = strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
    if (!c || !at) refuse("a percent sign needs two hexadecimal digits");
    return (int)(at - digits);
}

static void parse_query(const char *text, query *parsed) {
    char *out = parsed->buffer;
    memset(parsed->text, 0, sizeof parsed->text);
    if (strlen(text) >= MAX_QUERY) refuse("the query is too long");
    for (const char *stop; *text; text = *stop ? stop + 1 : stop) {
        const char *equals = strchr(text, '=');
        stop = text + strcspn(text, "&");
        int field = equals && equals < stop ? find_word(text, (size_t)(equals - text), fields, FIELDS) : -1;
        if (field < 0) refuse("unknown field");
        if (parsed->text[field]) refuse("a field is given twice");
        parsed->text[field] = out;
        for (const char *c = equals + 1; c < stop; c++) {
            if (*c == '%') *out++ = (char)(hex_digit(c[1]) << 4 | hex_digit(c[2])), c += 2;
            else *out++ = *c == '+' ? ' ' : *c;
        }
        if (field == NAME) parsed->name_length = (size_t)(out - parsed->text[NAME]);
        *out++ = 0;
    }
    if (!parsed->text[NAME]) parsed->text[NAME] = "", parsed->name_length = 0;
    if (parsed->name_length > MAX_NAME) refuse("name is longer than 1024 bytes");
}

static uint64_t parse_integer(const char **text, uint64_t most) {
    uint64_t value = 0;
    if (**text < '0' || **text > '9') refuse("an integer is expected");
    for (; **text >= '0' && **text <= '9'; ++*text) {
        uint64_t digit = (uint64_t)(**text - '0');
        if (value > most / 10 || (value == most / 10 && digit > most % 10)) refuse("an integer is too large");
        value = value * 10 + digit;
    }
    return value;
}

static uint64_t parse_length(const char *text, uint64_t otherwise) {
    if (!text) return otherwise;
    uint64_t value = parse_integer(&text, INT64_MAX);
    if (*text || !value) refuse("a positive integer is expected");
    return value;
}

static double parse_number(const char *text) {
    if (!text) refuse("a number is missing");
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value - value == 0)) refuse("a finite number is expected");
    return value;
}

/* --- 2. the position ----------------------------------------------------------------------------------- */

typedef struct {
    int rank;
    char layout[MAX_AXES + 1];
    uint64_t shape[MAX_AXES], start[MAX_AXES], stop[MAX_AXES], stride[MAX_AXES];
} tensor;

static void parse_shape(const char *text, tensor *t) {
    uint64_t count = 1;
    if (!text) refuse("shape is missing");
    for (t->rank = 0;; text++) {
        if (t->rank == MAX_AXES) refuse("shape has more than 8 axes");
        uint64_t length = t->shape[t->rank++] = parse_integer(&text, INT64_MAX);
        if (!length || count > INT64_MAX / length) refuse("an axis is empty, or the tensor has 2^63 elements or more");
        count *= length;
        if (!*text) return;
        if (*text != ',') refuse("shape must be integers separated by commas");
    }
}

static void parse_layout(const char *text, tensor *t) {
    static const char *const keras[] = {"O", "IO", "WIO", "HWIO", "DHWIO"};
    static const char *const torch[] = {"O", "OI", "OIW", "OIHW", "OIDHW"};
    int is_torch = text && !strcmp(text, "torch");
    if (!text || is_torch || !strcmp(text, "keras")) {
        if (t->rank > 5) refuse("the short layouts have 1 to 5 axes");
        text = is_torch ? torch[t->rank - 1] : keras[t->rank - 1];
    }
    if (strlen(text) != (size_t)t->rank || strspn(text, "BGOIDHW") != (size_t)t->rank)
        refuse("layout needs a letter of B G O I D H W for each axis");
    strcpy(t->layout, text);
}

static void parse_slice(const char *text, tensor *t) {
    for (int axis = 0; axis < t->rank; axis++) {
        uint64_t length = t->shape[axis], *start = &t->start[axis], *stop = &t->stop[axis];
        *start = 0, *stop = length;
        if (!text) continue;
        if (*text != ':') *start = parse_integer(&text, length);
        if (*text++ != ':') refuse("slice needs start:stop for each axis");
        if (*text && *text != ',') *stop = parse_integer(&text, length);
        if (*start >= *stop) refuse("a slice is empty");
        if (*text && *text != ',') refuse("slices are separated by commas");
        text = *text ? text + 1 : NULL;
    }
    if (text) refuse("slice has more axes than shape");
}

static void compute_strides(tensor *t) {
    uint64_t step = 1;
    for (const char *letter = "WHDIOGB"; *letter; letter++) /* canonical order from its end */
        for (int axis = t->rank; axis-- > 0;)
            if (t->layout[axis] == *letter) t->stride[axis] = step, step *= t->shape[axis];
}

/* --- 5. the spread ------------------------------------------------------------------------------------- */

/* The root of a positive finite number, correctly rounded: 54 bits of it, and whether there are more. */
static double square_root(double value) {
    uint64_t root = 0, rest = 0;
    int scaled = value < power(-1022) ? 108 : 0; /* subnormals become normal */
    uint64_t bits = bits_of(scaled ? value * power(108) : value), m = (bits & ((1ull << 52) - 1)) | 1ull << 52;
    int e = (int)(bits >> 52) - 1075 - scaled; /* value = m · 2^e */
    if (e & 1) m <<= 1, e--;
    for (int i = 0; i < 54; i++) { /* of m · 2^54, two bits for each bit of the root */
        rest = rest << 2 | (i < 27 ? m >> (52 - 2 * i) & 3 : 0);
        uint64_t trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) rest -= trial, root |= 1;
    }
    uint64_t up = root & 1 && (rest || root & 2);
    return (double)((root >> 1) + up) * power(e / 2 - 26);
}

/* a · b, exact in 128 bits, then rounded once. */
static double round_product(uint64_t a, uint64_t b) {
    uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (middle & 0xffffffff);
    uint64_t high = a1 * b1 + (middle >> 32) + (other >> 32), low = a * b;
    if (!high) return (double)low;
    int shift = 64;
    for (; !(high >> 63); shift--) high = high << 1 | low >> 63, low <<= 1;
    return (double)(high | (low != 0)) * power(shift); /* the last of 64 bits stands for all below */
}

typedef struct {
    uint64_t fan_in, fan_out;
    int is_known; /* whether the spec or the layout gives both fans */
} kernel;

static kernel measure_kernel(const query *q, const tensor *t) {
    uint64_t in = 1, out = 1, field = 1, groups = parse_length(q->text[GROUPS], 1);
    int stacked = 0, inputs = 0, outputs = 0;
    for (int axis = 0; axis < t->rank; axis++) {
        char letter = t->layout[axis];
        uint64_t length = t->shape[axis];
        if (letter == 'I') in *= length, inputs++;
        else if (letter == 'O') out *= length, outputs++;
        else if (letter == 'B' || letter == 'G') stacked++;
        else field *= length;
    }
    int is_known = (stacked ? inputs || outputs : inputs && outputs) || (q->text[GIVEN_IN] && q->text[GIVEN_OUT]);
    if (is_known && out % groups) refuse("groups must divide the product of the O axes");
    return (kernel){parse_length(q->text[GIVEN_IN], in * field), parse_length(q->text[GIVEN_OUT], out / groups * field),
                    is_known};
}

static double select_fan(const kernel *k, int mode) {
    if (!k->is_known) refuse("the layout has no fans: set fan_in and fan_out");
    if (mode == FAN_IN) return (double)k->fan_in;
    if (mode == FAN_OUT) return (double)k->fan_out;
    if (mode == FAN_AVG) return (double)(k->fan_in + k->fan_out) / 2;
    return square_root(round_product(k->fan_in, k->fan_out));
}

typedef struct {
    int distribution, dtype;
    double factor, bound;
} spread;

static const char *const distributions[] = {"uniform", "normal", "truncated_normal"};
static const char *const modes[] = {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"};
static const char *const dtypes[] = {"float64", "float32", "float16", "bfloat16"};

static int parse_choice(const char *text, const char *const words[], int count, int otherwise) {
    if (!text) return otherwise;
    int found = find_word(text, strlen(text), words, count);
    if (found < 0) refuse("unknown distribution, mode or dtype");
    return found;
}

/* The value of a dtype of fewer than 64 bits, from the bits of a positive number. */
static double decode(int dtype, uint32_t bits) {
    if (dtype == FLOAT32) return from_bits32(bits);
    if (dtype == BFLOAT16) return from_bits32(bits << 16);
    uint32_t e = bits >> 10, fraction = bits & 1023;
    return e ? (fraction + 1024) * power((int)e - 25) : fraction * power(-24);
}

static const uint32_t infinity_bits[] = {0, 0x7f800000, 0x7c00, 0x7f80};

/* The largest value of a dtype strictly below a positive number. */
static double round_below(int dtype, double end) {
    if (dtype == FLOAT64) return from_bits(bits_of(end) - 1);
    uint32_t below = 0, above = infinity_bits[dtype]; /* positive numbers are in the order of their bits */
    while (above - below > 1) {
        uint32_t middle = below + (above - below) / 2;
        if (decode(dtype, middle) < end) below = middle;
        else above = middle;
    }
    return decode(dtype, below);
}

static double largest_value(int dtype) {
    return dtype == FLOAT64 ? DBL_MAX : decode(dtype, infinity_bits[dtype] - 1);
}

static spread complete_spread(int distribution, int dtype, double stddev, double limit) {
    const double cut = 2 / TRUNCATED_STDDEV, peaks[] = {square_root(3), 6.4, cut};
    double smallest = dtype == FLOAT64 ? from_bits(1) : decode(dtype, 1);
    if (!(limit <= DBL_MAX) || stddev * peaks[distribution] >= largest_value(dtype)) refuse("too large for the dtype");
    if (stddev < smallest) refuse("too small for the dtype");
    if (distribution == UNIFORM) return (spread){distribution, dtype, limit, round_below(dtype, limit)};
    if (distribution == NORMAL) return (spread){distribution, dtype, stddev, largest_value(dtype)};
    return (spread){distribution, dtype, stddev, round_below(dtype, cut * stddev)};
}

static double parse_spread(const char *text) {
    double value = parse_number(text);
    if (!(value >= 1e-150 && value <= 1e150)) refuse("the spread must be 1e-150 to 1e150");
    return value;
}

/* The spread of scheme explicit, which one of three fields sets. */
static spread measure_explicit(const query *q, int dtype, int distribution) {
    static const int conflicts[] = {SCALE, MODE, SLOPE, GIVEN_IN, GIVEN_OUT};
    if (!!q->text[STDDEV] + !!q->text[PARENT_STDDEV] + !!q->text[LIMIT] != 1) refuse("explicit needs one spread field");
    for (int i = 0; i < 5; i++)
        if (q->text[conflicts[i]]) refuse("a spread field excludes scale, mode, negative_slope and fans");
    if (q->text[LIMIT]) {
        if (distribution > UNIFORM) refuse("limit is uniform");
        double limit = parse_spread(q->text[LIMIT]), variance = limit * limit / 3;
        double below = from_bits(bits_of(variance) - 1), above = from_bits(bits_of(variance) + 1);
        if (square_root(3 * variance) == limit) above = variance;
        else if (square_root(3 * below) == limit) above = below;
        else if (square_root(3 * above) != limit) above = variance;
        return complete_spread(UNIFORM, dtype, square_root(above), limit);
    }
    if (q->text[PARENT_STDDEV] && distribution >= 0 && distribution != TRUNCATED_NORMAL)
        refuse("parent_stddev is truncated_normal");
    if (distribution < 0) distribution = q->text[STDDEV] ? NORMAL : TRUNCATED_NORMAL;
    double stddev = parse_spread(q->text[STDDEV] ? q->text[STDDEV] : q->text[PARENT_STDDEV]);
    if (q->text[PARENT_STDDEV]) stddev = TRUNCATED_STDDEV * stddev;
    double variance = stddev * stddev;
    return complete_spread(distribution, dtype, square_root(variance), square_root(3 * variance));
}

enum { GLOROT, HE, LECUN, VARIANCE_SCALING, EXPLICIT };

/* The scheme of a name, and the distribution that the name includes, or -1. */
static int parse_scheme(const char *text, int *distribution) {
    static const char *const names[] = {"glorot", "he", "lecun", "variance_scaling", "explicit", "xavier", "kaiming"};
    int found = find_word(text, strlen(text), names, 7);
    for (int d = 0; found < 0 && d < 3; d++) {
        size_t length = strlen(text), ending = strlen(distributions[d]) + 1;
        if (length <= ending || text[length - ending] != '_') continue;
        if (strcmp(text + length - ending + 1, distributions[d])) continue;
        found = find_word(text, length - ending, names, 7);
        if (found == VARIANCE_SCALING || found == EXPLICIT) found = -1;
        *distribution = d;
    }
    if (found < 0) refuse("unknown scheme");
    return found == 5 ? GLOROT : found == 6 ? HE : found;
}

static const char *const activations_of_glorot[] = {
    "none", "linear", "identity", "tanh", "sigmoid", "logistic", "hard_sigmoid", "sparse_sigmoid",
    "hard_tanh", "softsign", "softmax", "softmax2d", "softmin", "log_softmax", "gumbel_softmax",
    "sparsemax", "exponential", "sin", "laplace"};
static const char *const activations_of_he[] = {
    "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "gelu", "gelu_tanh", "quick_gelu",
    "silu", "swish", "hard_silu", "hard_swish", "mish", "hard_mish", "softplus", "squareplus",
    "sparse_plus", "log_sigmoid", "threshold", "hard_shrink", "soft_shrink", "tanh_shrink", "glu", "reglu",
    "geglu", "swiglu", "gelu_10", "gelu_python", "gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh",
    "gelu_fast", "gelu_accurate", "relu_squared", "relu2", "xielu", "sqrtsoftplus"};
static const char *const activations_of_lecun[] = {"selu"};

#define HAS(words, word) (find_word(word, strlen(word), words, (int)(sizeof words / sizeof *words)) >= 0)

/* The scheme that `auto` stands for. */
static int choose_scheme(const char *activation) {
    if (!activation || HAS(activations_of_glorot, activation)) return GLOROT;
    if (HAS(activations_of_he, activation)) return HE;
    if (HAS(activations_of_lecun, activation)) return LECUN;
    refuse("unknown activation");
}

static spread resolve(const query *q, const tensor *t) {
    const char *name = q->text[SCHEME];
    int is_auto = !name || !strcmp(name, "auto"), dtype = parse_choice(q->text[DTYPE], dtypes, 4, FLOAT32);
    int given = parse_choice(q->text[DISTRIBUTION], distributions, 3, -1), carried = -1, scheme;
    const kernel k = measure_kernel(q, t);
    int has_spread = q->text[STDDEV] || q->text[PARENT_STDDEV] || q->text[LIMIT];
    if (is_auto) scheme = has_spread ? EXPLICIT : choose_scheme(q->text[ACTIVATION]);
    else scheme = parse_scheme(name, &carried);
    if (scheme == EXPLICIT) return measure_explicit(q, dtype, given);
    if (has_spread) refuse("a spread field excludes other schemes");
    if (given >= 0 && carried >= 0 && given != carried && !(given == TRUNCATED_NORMAL && carried == NORMAL))
        refuse("distribution contradicts the scheme's name");
    int distribution = given >= 0 ? given : carried >= 0 ? carried : scheme == LECUN ? NORMAL : UNIFORM;
    int mode = parse_choice(q->text[MODE], modes, 4, scheme == GLOROT ? FAN_AVG : FAN_IN);
    double scale = scheme == HE ? 2 : 1;
    if (q->text[SCALE]) {
        if (scheme != VARIANCE_SCALING) refuse("scale belongs to variance_scaling");
        if (!((scale = parse_number(q->text[SCALE])) > 0)) refuse("scale must be positive");
    }
    if (q->text[SLOPE]) {
        if (scheme != HE) refuse("negative_slope belongs to he");
        double slope = parse_number(q->text[SLOPE]);
        scale = 2 / (1 + slope * slope);
    }
    double variance = scale / select_fan(&k, mode);
    if (!(variance > 0)) refuse("too small for the dtype");
    if (!(3 * variance <= DBL_MAX)) refuse("too large for the dtype");
    return complete_spread(distribution, dtype, square_root(variance), square_root(3 * variance));
}

/* --- 1. the key ---------------------------------------------------------------------------------------- */

static void derive_key(const char domain[17], uint64_t seed, const void *name, size_t length, uint32_t key[4]) {
    uint8_t numbers[12], digest[32];
    sha256 hash;
    put_le(numbers, 1, 4);
    put_le(numbers + 4, seed, 8);
    sha256_start(&hash);
    sha256_add(&hash, domain, 17);
    sha256_add(&hash, numbers, 12);
    sha256_add(&hash, name, length);
    sha256_end(&hash, digest);
    for (int i = 0; i < 4; i++) key[i] = (uint32_t)get_le(digest + 4 * i, 4);
}

static void read_key(const query *q, const char domain[17], uint32_t key[4]) {
    const char *seed = q->text[SEED];
    if (!seed) refuse("seed is missing");
    derive_key(domain, parse_integer(&seed, UINT64_MAX), q->text[NAME], q->name_length, key);
    if (*seed) refuse("seed must be an integer from 0 to 2^64 - 1");
}

/* --- 3. the word --------------------------------------------------------------------------------------- */

static uint32_t draw_word(const uint32_t key[4], uint64_t n) {
    uint64_t tile = n >> 12, block = tile * 1024 + (n & 1023);
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), key[2], key[3]}, k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return c[n >> 10 & 3];
}

/* --- 4. the transform: |T|, and the sign separately ---------------------------------------------------- */

static double look_up(int distribution, double x) {
    const double *a = table[distribution - 1][(bits_of(x) >> 47) - (1022 << 5)];
    return a[0] + x * (a[1] + x * (a[2] + x * a[3]));
}

static double transform(int distribution, uint32_t word, int *negative) {
    if (distribution == UNIFORM) {
        double t = (double)(2 * (int64_t)word + 1 - ((int64_t)1 << 32)) / 4294967296.0;
        *negative = t < 0;
        return t < 0 ? -t : t;
    }
    *negative = (int)(word >> 31);
    return look_up(distribution, (double)(word & 0x7fffffff) + 0.5);
}

/* --- 6. rounding --------------------------------------------------------------------------------------- */

/* Drop the low bits of a number, rounded to nearest, ties to even. */
static uint32_t drop_bits(uint32_t bits, int count) {
    return (bits + ((1u << (count - 1)) - 1) + (bits >> count & 1)) >> count;
}

static uint32_t round_float16(uint32_t single) {
    uint32_t e = single >> 23, fraction = single & 0x7fffff;
    if (e > 112) return drop_bits((e - 112) << 23 | fraction, 13); /* a carry moves into the exponent */
    return e < 101 ? 0 : drop_bits(fraction | 0x800000, 126 - (int)e); /* units of 2^-24; 0 below 2^-26 */
}

static void encode(int dtype, double magnitude, int negative, uint8_t *out) {
    float single = (float)magnitude;
    uint32_t bits32;
    memcpy(&bits32, &single, 4);
    uint64_t bits = dtype == FLOAT64   ? bits_of(magnitude)
                    : dtype == FLOAT32 ? bits32
                    : dtype == FLOAT16 ? round_float16(bits32)
                                       : drop_bits(bits32, 16);
    put_le(out, bits | (uint64_t)negative << (8 * sizes[dtype] - 1), sizes[dtype]);
}

/* --- 12. orthogonal matrices ---------------------------------------------------------------------------- */

enum { SIDE = 32 };

typedef struct {
    uint64_t outputs, inputs, taps, center, held; /* held: the number of the matrix in values */
    double gain, *values;
} orthogonal;

static double draw_normal(const uint32_t key[4], uint64_t n) {
    int negative;
    double magnitude = transform(NORMAL, draw_word(key, n), &negative);
    return negative ? -magnitude : magnitude;
}

static double *reserve(uint64_t count) {
    double *memory = count > SIZE_MAX / sizeof *memory ? NULL : calloc((size_t)count, sizeof *memory);
    if (!memory) refuse("the matrix is too large");
    return memory;
}

/* Turn a column of draws into a reflector from row k on. Return its sign, and set its tau. */
static double make_reflector(double *v, uint64_t k, uint64_t rows, double *tau) {
    double x = v[k], size = x < 0 ? -x : x, square = 0;
    for (uint64_t r = 0; r < k; r++) v[r] = 0;
    *tau = 0;
    if (k == rows - 1) return x < 0 ? -1 : 1;
    for (uint64_t r = k; r < rows; r++) square += v[r] * v[r];
    double norm = square_root(square);
    v[k] = x < 0 ? x - norm : x + norm;
    *tau = 1 / (norm * (norm + size));
    return x < 0 ? 1 : -1;
}

static double multiply_columns(const double *a, const double *b, uint64_t first, uint64_t rows) {
    double sum = 0;
    for (uint64_t r = first; r < rows; r++) sum += a[r] * b[r];
    return sum;
}

/* Apply a block of reflectors to a column. */
static void reflect(const double *v, const double *tau, uint64_t first, uint64_t count, uint64_t rows, double *c) {
    double w[SIDE];
    for (uint64_t i = count; i-- > 0;) {
        w[i] = multiply_columns(v + (first + i) * rows, c, first, rows);
        for (uint64_t l = i + 1; l < count; l++)
            w[i] -= multiply_columns(v + (first + i) * rows, v + (first + l) * rows, first, rows) * w[l];
        w[i] *= tau[first + i];
    }
    for (uint64_t i = 0; i < count; i++)
        for (uint64_t r = first; r < rows; r++) c[r] -= v[(first + i) * rows + r] * w[i];
}

static void make_matrix(orthogonal *o, const uint32_t key[4], uint64_t number) {
    int is_wide = o->outputs <= o->inputs;
    uint64_t size = o->outputs * o->inputs, rows = is_wide ? o->inputs : o->outputs, columns = size / rows;
    double *v = reserve(size), *c = reserve(rows), *tau = reserve(columns), *sign = reserve(columns);
    for (uint64_t k = 0; k < columns; k++) {
        for (uint64_t r = 0; r < rows; r++) {
            uint64_t element = is_wide ? k * rows + r : r * columns + k;
            v[k * rows + r] = draw_normal(key, (number * size + element) * o->taps + o->center);
        }
        sign[k] = make_reflector(v + k * rows, k, rows, tau + k);
    }
    for (uint64_t k = 0; k < columns; k++) {
        for (uint64_t r = 0; r < rows; r++) c[r] = 0;
        c[k] = sign[k];
        for (uint64_t block = k / SIDE + 1; block-- > 0;) {
            uint64_t first = block * SIDE, left = columns - first;
            reflect(v, tau, first, left < SIDE ? left : SIDE, rows, c);
        }
        for (uint64_t r = 0; r < rows; r++) o->values[is_wide ? k * rows + r : r * columns + k] = c[r];
    }
    o->held = number;
    free(v), free(c), free(tau), free(sign);
}

static double find_element(orthogonal *o, const uint32_t key[4], uint64_t n) {
    uint64_t element = n / o->taps, size = o->outputs * o->inputs;
    if (n % o->taps != o->center) return 0;
    if (!o->values) o->values = reserve(size), o->held = UINT64_MAX;
    if (o->held != element / size) make_matrix(o, key, element / size);
    return o->gain * o->values[element % size];
}

static int is_orthogonal(const char *scheme) {
    return scheme && (!strcmp(scheme, "orthogonal") || !strcmp(scheme, "delta_orthogonal"));
}

static orthogonal measure_orthogonal(const query *q, const tensor *t) {
    static const int conflicts[] = {SCALE, MODE, SLOPE, DISTRIBUTION, STDDEV, PARENT_STDDEV, LIMIT, GIVEN_IN, GIVEN_OUT};
    int is_delta = *q->text[SCHEME] == 'd', is_torch = q->text[CENTER] && !strcmp(q->text[CENTER], "torch");
    orthogonal o = {1, 1, 1, 0, 0, q->text[GAIN] ? parse_number(q->text[GAIN]) : 1, NULL};
    for (int i = 0; i < 9; i++)
        if (q->text[conflicts[i]]) refuse("an orthogonal scheme has no other spread");
    for (const char *letter = "OIDHW"; *letter; letter++)
        for (int axis = 0; axis < t->rank; axis++) {
            uint64_t length = t->shape[axis];
            if (t->layout[axis] != *letter) continue;
            if (*letter == 'O') o.outputs *= length;
            else if (*letter == 'I' || !is_delta) o.inputs *= length;
            else o.taps *= length, o.center = o.center * length + (is_torch ? length : length - 1) / 2;
        }
    return o;
}

/* --- the output ---------------------------------------------------------------------------------------- */

typedef struct {
    int is_raw;
    sha256 hash;
    uint8_t first[ENDS], last[ENDS];
} sink;

static void write_element(sink *to, const uint8_t *bytes, int size) {
    if (to->is_raw) {
        fwrite(bytes, 1, (size_t)size, stdout);
        return;
    }
    if (to->hash.length < ENDS) memcpy(to->first + to->hash.length, bytes, (size_t)size);
    memmove(to->last, to->last + size, (size_t)(ENDS - size));
    memcpy(to->last + ENDS - size, bytes, (size_t)size);
    sha256_add(&to->hash, bytes, (size_t)size);
}

/* Writes the bytes of the element with the given indices and position. */
typedef void element(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes);

static void write_slice(const tensor *t, int size, element compute_element, const void *source, sink *to) {
    uint64_t at[MAX_AXES];
    memcpy(at, t->start, sizeof at);
    for (;;) {
        uint64_t n = 0;
        for (int axis = 0; axis < t->rank; axis++) n += at[axis] * t->stride[axis];
        uint8_t bytes[8];
        compute_element(source, at, n, bytes);
        write_element(to, bytes, size);
        int axis = t->rank - 1; /* memory order: the last axis runs fastest */
        while (axis >= 0 && ++at[axis] == t->stop[axis]) at[axis] = t->start[axis], axis--;
        if (axis < 0) return;
    }
}

typedef struct {
    spread s;
    uint32_t key[4];
} drawn;

static void compute_drawn(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const drawn *d = source;
    int negative;
    double product = d->s.factor * transform(d->s.distribution, draw_word(d->key, n), &negative);
    (void)at;
    encode(d->s.dtype, product < d->s.bound ? product : d->s.bound, negative, bytes);
}

/* --- orthogonal matrices ------------------------------------------------------------------------------- */

typedef struct {
    orthogonal *o;
    int dtype;
    uint32_t key[4];
} matrix;

static void compute_matrix(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const matrix *m = source;
    double value = find_element(m->o, m->key, n), largest = largest_value(m->dtype);
    int negative = (int)(bits_of(value) >> 63);
    double magnitude = negative ? -value : value;
    (void)at;
    encode(m->dtype, magnitude < largest ? magnitude : largest, negative, bytes);
}

static void encode_signed(int dtype, double value, uint8_t *out) {
    int negative = (int)(bits_of(value) >> 63);
    encode(dtype, negative ? -value : value, negative, out);
}

/* --- 9. shifted and cut distributions ------------------------------------------------------------------ */

typedef struct {
    int distribution, dtype, is_cut;
    uint32_t key[4];
    double factor, mean, low, high, cut[3]; /* lo, up, mass */
} shifted;

static double transform_cut(const double cut[3], uint32_t word) {
    double w = (double)word + 0.5, below = cut[0] + cut[2] * w, above = cut[1] + cut[2] * (4294967296.0 - w);
    double x = below < above ? below : above, last = 2147483648.0 - power(-22);
    x = x < 0.5 ? 0.5 : x > last ? last : x;
    return below < above ? -look_up(NORMAL, x) : look_up(NORMAL, x);
}

static void compute_shifted(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const shifted *s = source;
    uint32_t word = draw_word(s->key, n);
    int negative = 0;
    double size = s->is_cut ? transform_cut(s->cut, word) : transform(s->distribution, word, &negative);
    double value = s->mean + s->factor * (negative ? -size : size);
    (void)at;
    value = value < s->low ? s->low : value;
    encode_signed(s->dtype, value > s->high ? s->high : value, bytes);
}

static void parse_numbers(const char *text, double *numbers, int count) {
    char *end = (char *)text;
    for (int i = 0; i < count; i++) {
        numbers[i] = strtod(text, &end);
        if (end == text || *end != (i + 1 < count ? ',' : 0)) refuse("numbers separated by commas are expected");
        text = end + 1;
    }
}

static void write_shifted(const query *q, const tensor *t, sink *to) {
    shifted s = {.distribution = parse_choice(q->text[DISTRIBUTION], distributions, 3, NORMAL),
                 .dtype = parse_choice(q->text[DTYPE], dtypes, 4, FLOAT32),
                 .is_cut = q->text[CUT] != NULL,
                 .factor = parse_number(q->text[FACTOR]),
                 .mean = parse_number(q->text[MEAN]),
                 .low = parse_number(q->text[LOW]),
                 .high = parse_number(q->text[HIGH])};
    read_key(q, DOMAIN, s.key);
    if (s.is_cut) parse_numbers(q->text[CUT], s.cut, 3);
    write_slice(t, sizes[s.dtype], compute_shifted, &s, to);
}

/* --- 10. sparse tensors --------------------------------------------------------------------------------- */

typedef struct {
    drawn d;
    uint32_t mask_key[4];
    uint64_t size, inner, zeros;
} sparse;

static void compute_sparse(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const sparse *s = source;
    uint64_t span = s->size * s->inner, first = n / span * span + n % s->inner, before = 0;
    uint32_t word = draw_word(s->mask_key, n);
    for (uint64_t j = 0; j < s->size && before < s->zeros; j++) {
        uint64_t other = first + j * s->inner;
        uint32_t mask = draw_word(s->mask_key, other);
        before += mask < word || (mask == word && other < n);
    }
    if (before < s->zeros) put_le(bytes, 0, sizes[s->d.s.dtype]);
    else compute_drawn(&s->d, at, n, bytes);
}

static void write_sparse(const query *q, const tensor *t, sink *to) {
    int dtype = parse_choice(q->text[DTYPE], dtypes, 4, FLOAT32);
    uint64_t outputs = 1, inputs = 1;
    for (int axis = 0; axis < t->rank; axis++) {
        if (t->layout[axis] == 'O') outputs *= t->shape[axis];
        else if (!strchr("BG", t->layout[axis])) inputs *= t->shape[axis];
    }
    int by_input = q->text[AXIS] && !strcmp(q->text[AXIS], "O");
    sparse s = {.d.s = {NORMAL, dtype, parse_number(q->text[FACTOR]), largest_value(dtype)},
                .size = by_input ? outputs : inputs,
                .inner = by_input ? inputs : 1};
    double zeros = parse_number(q->text[SPARSITY]) * (double)s.size;
    s.zeros = (uint64_t)zeros + (zeros > (double)(uint64_t)zeros);
    read_key(q, DOMAIN, s.d.key);
    read_key(q, MASK_DOMAIN, s.mask_key);
    write_slice(t, sizes[dtype], compute_sparse, &s, to);
}

/* --- 11. identity tensors ------------------------------------------------------------------------------- */

typedef struct {
    const tensor *t;
    int dtype, by_torch;
    double gain;
    uint64_t period; /* outputs in a group */
} identity;

static void compute_identity(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const identity *s = source;
    uint64_t output = 0, input = 0;
    int is_centre = 1;
    (void)n;
    for (int axis = 0; axis < s->t->rank; axis++) {
        uint64_t length = s->t->shape[axis];
        char letter = s->t->layout[axis];
        if (letter == 'O') output = output * length + at[axis];
        else if (letter == 'I') input = input * length + at[axis];
        else if (strchr("DHW", letter)) is_centre &= at[axis] == (s->by_torch ? length : length - 1) / 2;
    }
    encode_signed(s->dtype, is_centre && output % s->period == input ? s->gain : 0, bytes);
}

static void write_identity(const query *q, const tensor *t, sink *to) {
    identity s = {t, parse_choice(q->text[DTYPE], dtypes, 4, FLOAT32), 0, parse_number(q->text[GAIN]), 1};
    for (int axis = 0; axis < t->rank; axis++)
        if (t->layout[axis] == 'O') s.period *= t->shape[axis];
    uint64_t groups = parse_length(q->text[GROUPS], 1);
    if (s.period % groups) refuse("groups must divide the product of the O axes");
    s.period /= groups;
    s.by_torch = q->text[CENTER] && !strcmp(q->text[CENTER], "torch");
    write_slice(t, sizes[s.dtype], compute_identity, &s, to);
}

/* --- 12. values ----------------------------------------------------------------------------------------- */

static const double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;

static double reciprocal_factorial(int n) {
    double product = 1; /* exact up to 18! */
    for (int i = 2; i <= n; i++) product *= i;
    return 1 / product;
}

/* The largest integer that is at most x, for |x| below 2^51. */
static int64_t round_down(double x) {
    int64_t whole = (int64_t)x;
    return (double)whole > x ? whole - 1 : whole;
}

/* The power of two and the rest of an exponential: exp(x) = (1 + rest) · 2^k. */
static int64_t reduce_exp(double x, double *rest) {
    int64_t k = round_down(x * 1.4426950408889634 + 0.5);
    double r = (x - (double)k * LN2_HIGH) - (double)k * LN2_LOW, value = reciprocal_factorial(13);
    for (int n = 12; n >= 1; n--) value = reciprocal_factorial(n) + r * value;
    *rest = r * value;
    return k;
}

static double compute_exp(double x) {
    double rest;
    int64_t k = reduce_exp(x, &rest);
    return (1 + rest) * power((int)k);
}

static double compute_expm1(double x) {
    double rest;
    int64_t k = reduce_exp(x, &rest);
    return k ? (1 + rest) * power((int)k) - 1 : rest;
}

static double compute_log(double x) {
    uint64_t bits = bits_of(x);
    int64_t k = (int64_t)(bits >> 52) - 1022;
    double m = from_bits((bits & ((1ull << 52) - 1)) | 1022ull << 52); /* from 1/2 to 1 */
    if (m < 0.7071067811865476) m = m + m, k--;
    double f = m - 1, s = f / (2 + f), z = s * s, value = 1.0 / 23;
    for (int n = 10; n >= 0; n--) value = 1.0 / (2 * n + 1) + z * value;
    return (double)k * LN2_HIGH + ((double)k * LN2_LOW + 2 * (s * value));
}

static void compute_sincos(double x, double *sine, double *cosine) {
    int64_t k = round_down(x * 0.6366197723675814 + 0.5);
    double turns = (double)k, r = x - turns * 1.57079632673412561417e+00;
    r = (r - turns * 6.07710050630396597660e-11) - turns * 2.02226624879595063154e-21;
    double z = r * r, s = reciprocal_factorial(17), c = reciprocal_factorial(16);
    for (int n = 7; n >= 0; n--) {
        s = (n % 2 ? -1 : 1) * reciprocal_factorial(2 * n + 1) + z * s;
        c = (n % 2 ? -1 : 1) * reciprocal_factorial(2 * n) + z * c;
    }
    s = r * s;
    *sine = k & 1 ? (k & 2 ? -c : c) : (k & 2 ? -s : s);
    *cosine = k & 1 ? (k & 2 ? s : -s) : (k & 2 ? -c : c);
}

typedef struct {
    const query *q;
    const tensor *t;
    int dtype, integer_bytes;
    uint32_t key[4];
} values;

static int has(const values *v, int field, const char *word) {
    return v->q->text[field] && !strcmp(v->q->text[field], word);
}

static double compute_sinusoidal(const values *v, uint64_t row, uint64_t column) {
    uint64_t channels = v->t->shape[v->t->rank - 1];
    double base = compute_log(parse_number(v->q->text[BASE])), sine, cosine;
    if (v->q->text[GRID]) {
        double sides[2];
        parse_numbers(v->q->text[GRID], sides, 2);
        uint64_t width = (uint64_t)sides[1];
        channels /= 2;
        row = (column < channels) == has(v, LINE_FIRST, "True") ? row / width : row % width;
        column %= channels;
    }
    uint64_t half = channels / 2, is_interleaved = (uint64_t)has(v, INTERLEAVED, "True");
    uint64_t j = is_interleaved ? column / 2 : column % half;
    int is_second = is_interleaved ? (int)(column % 2) : column >= half;
    double divisor = (double)(half - (uint64_t)has(v, DIVISOR, "last")), angle;
    if (has(v, STEPS, "float32")) {
        double exponent = (float)((double)(float)(base / divisor) * (double)j);
        angle = (float)((double)row * (double)(float)compute_exp(-exponent));
    } else
        angle = (double)row * compute_exp(-((double)j * base / divisor));
    compute_sincos(angle, &sine, &cosine);
    return is_second == has(v, COSINE_FIRST, "True") ? sine : cosine;
}

static double compute_inverse_softplus(const values *v, uint64_t n) {
    double low = compute_log(parse_number(v->q->text[LOW])), high = compute_log(parse_number(v->q->text[HIGH]));
    double uniform = ((double)draw_word(v->key, n) + 0.5) / 4294967296.0, floor = parse_number(v->q->text[FLOOR]);
    double dt = compute_exp(uniform * (high - low) + low);
    dt = dt < floor ? floor : dt;
    return dt + compute_log(-compute_expm1(-dt));
}

static void compute_values(const void *source, const uint64_t *at, uint64_t n, uint8_t *bytes) {
    const values *v = source;
    const char *name = v->q->text[SOURCE];
    uint64_t column = at[v->t->rank - 1], row = v->t->rank > 1 ? at[v->t->rank - 2] : 0;
    double value;
    if (v->integer_bytes) {
        int64_t start = (int64_t)parse_number(v->q->text[START]), step = (int64_t)parse_number(v->q->text[STEP]);
        put_le(bytes, (uint64_t)start + (uint64_t)step * column, v->integer_bytes);
        return;
    }
    if (!strcmp(name, "arange"))
        value = parse_number(v->q->text[START]) + parse_number(v->q->text[STEP]) * (double)column;
    else if (!strcmp(name, "log_arange")) value = compute_log((double)(column + 1));
    else if (!strcmp(name, "sinusoidal")) value = compute_sinusoidal(v, row, column);
    else value = compute_inverse_softplus(v, n);
    encode_signed(v->dtype, value, bytes);
}

static void write_values(const query *q, const tensor *t, sink *to) {
    static const char *const integers[] = {"int8", "int16", "int32", "int64"};
    const char *dtype = q->text[DTYPE];
    int integer = dtype ? find_word(dtype, strlen(dtype), integers, 4) : -1;
    values v = {q, t, integer < 0 ? parse_choice(dtype, dtypes, 4, FLOAT32) : 0, integer < 0 ? 0 : 1 << integer, {0}};
    read_key(q, DOMAIN, v.key);
    write_slice(t, v.integer_bytes ? v.integer_bytes : sizes[v.dtype], compute_values, &v, to);
}

/* --- all sources --------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*write)(const query *q, const tensor *t, sink *to);
} sources[] = {{"shifted", write_shifted}, {"sparse", write_sparse}, {"identity", write_identity},
             {"arange", write_values}, {"log_arange", write_values}, {"sinusoidal", write_values},
             {"inverse_softplus", write_values}};

static void write_source(const query *q, const tensor *t, sink *to) {
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (!strcmp(sources[i].name, q->text[SOURCE])) {
            sources[i].write(q, t, to);
            return;
        }
    refuse("unknown source");
}

static void draw(const char *text, sink *to) {
    static query q;
    tensor t = {0};
    drawn d;
    parse_query(text, &q);
    parse_shape(q.text[SHAPE], &t);
    parse_layout(q.text[LAYOUT], &t);
    parse_slice(q.text[SLICE], &t);
    compute_strides(&t);
    if (q.text[SOURCE]) {
        write_source(&q, &t, to);
        return;
    }
    if (is_orthogonal(q.text[SCHEME])) {
        orthogonal o = measure_orthogonal(&q, &t);
        matrix m = {.o = &o, .dtype = parse_choice(q.text[DTYPE], dtypes, 4, FLOAT32)};
        read_key(&q, DOMAIN, m.key);
        write_slice(&t, sizes[m.dtype], compute_matrix, &m, to);
        free(o.values);
        return;
    }
    d.s = resolve(&q, &t);
    read_key(&q, DOMAIN, d.key);
    write_slice(&t, sizes[d.s.dtype], compute_drawn, &d, to);
}

/* Write a line of JSON. A percent-encoded query has no character that JSON would have to escape. */
static void describe(const char *text) {
    static sink to;
    uint8_t digest[32];
    char hex[65], first[2 * ENDS + 1] = "", last[2 * ENDS + 1] = "";
    sha256_start(&to.hash);
    if (setjmp(refusal)) {
        printf("{\"query\": \"%s\", \"refused\": \"%s\"}\n", text, reason);
        return;
    }
    draw(text, &to);
    uint64_t length = to.hash.length;
    size_t ends = length < ENDS ? (size_t)length : ENDS;
    sha256_end(&to.hash, digest);
    format_hex(digest, 32, hex);
    format_hex(to.first, ends, first);
    format_hex(to.last + ENDS - ends, ends, last);
    printf("{\"query\": \"%s\", \"bytes\": %llu, \"first\": \"%s\", \"last\": \"%s\", \"sha256\": \"%s\"}\n", text,
           (unsigned long long)length, first, last, hex);
}

static void read_table(const char *path) {
    static const char expected[] = "785812d3448197fb1e669d0f9ccb278a675e9d3101db54d0ea40e2cd1b0993da";
    static uint8_t bytes[TABLE_BYTES];
    uint8_t digest[32];
    char text[65];
    sha256 hash;
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, -TABLE_BYTES, SEEK_END) || fread(bytes, 1, TABLE_BYTES, file) != TABLE_BYTES)
        refuse("tables.npy cannot be read");
    fclose(file);
    sha256_start(&hash);
    sha256_add(&hash, bytes, TABLE_BYTES);
    sha256_end(&hash, digest);
    format_hex(digest, 32, text);
    if (strcmp(text, expected)) refuse("tables.npy has another SHA-256");
    for (int i = 0; i < TABLE_BYTES / 8; i++)
        table[i / 4096][i / 4 % 1024][i % 4] = from_bits(get_le(bytes + 8 * i, 8));
}

int main(int argc, char **argv) {
    static char line[MAX_QUERY + 2];
    static sink raw = {.is_raw = 1};
    if (setjmp(refusal)) {
        fprintf(stderr, "weightinit: %s\n", reason);
        return 1;
    }
    if (argc < 2 || argc > 3) refuse("usage: weightinit tables.npy [QUERY]");
    read_table(argv[1]);
    if (argc == 3) draw(argv[2], &raw);
    else
        while (fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = 0;
            describe(line);
        }
    return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
