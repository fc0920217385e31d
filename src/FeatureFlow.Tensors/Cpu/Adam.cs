using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Adam on a run of numbers.</summary>
internal static unsafe class Adam
{
    /// <summary>v = β₂v + (1−β₂)g², p −= rate·g/(√(v·correction) + ε).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Step(float* parameter, float* gradient, float* second, int n, in AdamOptions options)
    {
        float rate = options.Rate, beta = options.Beta2, rest = 1 - beta, correction = options.SecondCorrection, epsilon = options.Epsilon;
        var i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var g = Vector512.Load(gradient + i);
            var v = Vector512.Load(second + i) * beta + g * g * rest;
            v.Store(second + i);
            (Vector512.Load(parameter + i) - g * rate / (Vector512.Sqrt(v * correction) + Vector512.Create(epsilon))).Store(parameter + i);
        }

        for (; i < n; i++)
        {
            var g = gradient[i];
            var v = second[i] * beta + g * g * rest;
            second[i] = v;
            parameter[i] -= g * rate / (MathF.Sqrt(v * correction) + epsilon);
        }
    }

    /// <summary>The same with a first moment: m = β₁m + (1−β₁)g takes the place of g in the step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Step(float* parameter, float* gradient, float* first, float* second, int n, in AdamOptions options)
    {
        float beta1 = options.Beta1, rest1 = 1 - beta1, beta2 = options.Beta2, rest2 = 1 - beta2, epsilon = options.Epsilon;
        float rate = options.Rate * options.FirstCorrection, correction = options.SecondCorrection;
        var i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var g = Vector512.Load(gradient + i);
            var m = Vector512.Load(first + i) * beta1 + g * rest1;
            var v = Vector512.Load(second + i) * beta2 + g * g * rest2;
            m.Store(first + i);
            v.Store(second + i);
            (Vector512.Load(parameter + i) - m * rate / (Vector512.Sqrt(v * correction) + Vector512.Create(epsilon))).Store(parameter + i);
        }

        for (; i < n; i++)
        {
            var g = gradient[i];
            var m = first[i] * beta1 + g * rest1;
            var v = second[i] * beta2 + g * g * rest2;
            first[i] = m;
            second[i] = v;
            parameter[i] -= m * rate / (MathF.Sqrt(v * correction) + epsilon);
        }
    }

    /// <summary>v = β₂v: a step whose gradient is 0 moves nothing else.</summary>
    public static void Decay(float* second, int n, float beta)
    {
        var i = 0;
        for (; i + 16 <= n; i += 16) (Vector512.Load(second + i) * beta).Store(second + i);
        for (; i < n; i++) second[i] *= beta;
    }
}
