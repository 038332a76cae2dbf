/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of kernels and the choice among them, made once per model load. The only place that names a
 * kernel's file.
 */
#include <string.h>

#include "nn_plan.h"

#if defined(__x86_64__)
#include <cpuid.h>

#define LEAF1_ECX_FMA	    (1u << 12)
#define LEAF1_ECX_OSXSAVE   (1u << 27)
#define LEAF1_ECX_AVX	    (1u << 28)
#define LEAF7_EBX_AVX2	    (1u << 5)
#define LEAF7_EBX_AVX512F   (1u << 16)
#define LEAF7_EBX_AVX512DQ  (1u << 17)
#define LEAF7_EBX_AVX512BW  (1u << 30)
#define LEAF7_EBX_AVX512VL  (1u << 31)
#define XCR0_XMM_YMM	    0x06u
#define XCR0_OPMASK_AND_ZMM 0xe0u

static bool has_all(uint32_t bits, uint32_t wanted)
{
	return (bits & wanted) == wanted;
}

bool nn_x86_allows_avx2(const struct nn_x86 *x86)
{
	return has_all(x86->leaf1_ecx, LEAF1_ECX_FMA | LEAF1_ECX_OSXSAVE | LEAF1_ECX_AVX) &&
	       has_all(x86->leaf7_ebx, LEAF7_EBX_AVX2) && has_all(x86->xcr0, XCR0_XMM_YMM);
}

bool nn_x86_allows_avx512(const struct nn_x86 *x86)
{
	return nn_x86_allows_avx2(x86) &&
	       has_all(x86->leaf7_ebx,
		       LEAF7_EBX_AVX512F | LEAF7_EBX_AVX512DQ | LEAF7_EBX_AVX512BW | LEAF7_EBX_AVX512VL) &&
	       has_all(x86->xcr0, XCR0_OPMASK_AND_ZMM);
}

static struct nn_x86 read_x86(void)
{
	struct nn_x86 x86 = {0};
	uint32_t eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		x86.leaf1_ecx = ecx;
	if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		x86.leaf7_ebx = ebx;
	if (x86.leaf1_ecx & LEAF1_ECX_OSXSAVE) {
		__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
		x86.xcr0 = eax;
	}
	return x86;
}

static bool avx2_supported(void)
{
	struct nn_x86 x86 = read_x86();

	return nn_x86_allows_avx2(&x86);
}

static bool avx512_supported(void)
{
	struct nn_x86 x86 = read_x86();

	return nn_x86_allows_avx512(&x86);
}
#endif

static bool scalar_supported(void)
{
	return true;
}

/* __builtin_cpu_supports asks the operating system too, and only once. */
static void scalar_score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			       uint32_t n, float *logits)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("fma")) {
		nn_scalar_fma_score_bytes(plan, scratch, rows, n, logits);
		return;
	}
#endif
	nn_scalar_score_bytes(plan, scratch, rows, n, logits);
}

static void scalar_score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows,
				size_t stride, uint32_t n, float *logits)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("fma")) {
		nn_scalar_fma_score_floats(plan, scratch, rows, stride, n, logits);
		return;
	}
#endif
	nn_scalar_score_floats(plan, scratch, rows, stride, n, logits);
}

static const struct nn_kernel kernels[] = {
#if defined(__x86_64__)
	{"avx512", "AVX-512 F, BW, VL and DQ", avx512_supported, nn_avx512_score_bytes, nn_avx512_score_floats},
	{"avx2", "AVX2 and FMA", avx2_supported, nn_avx2_score_bytes, nn_avx2_score_floats},
#endif
	{"scalar", "nothing", scalar_supported, scalar_score_bytes, scalar_score_floats},
};
#define N_KERNELS (sizeof(kernels) / sizeof(kernels[0]))

const struct nn_kernel *nn_kernels(uint32_t *n_kernels)
{
	*n_kernels = N_KERNELS;
	return kernels;
}

const struct nn_kernel *nn_kernel_find(const char *name)
{
	for (size_t k = 0; k < N_KERNELS; k++) {
		if ((name == NULL || strcmp(name, kernels[k].name) == 0) && kernels[k].supported())
			return &kernels[k];
	}
	return NULL;
}
