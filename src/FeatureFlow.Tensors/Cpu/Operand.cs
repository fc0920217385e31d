namespace FeatureFlow.Tensors.Cpu;

/// <summary>A matrix in host memory as kernels see it: where it starts, its stored type, and the byte steps of its two axes.</summary>
internal readonly unsafe struct Operand(byte* data, DType type, int rows, int columns, long rowStep, long columnStep)
{
    public readonly byte* Data = data;
    public readonly DType Type = type;
    public readonly int Rows = rows;
    public readonly int Columns = columns;

    /// <summary>Bytes from one row to the next.</summary>
    public readonly long RowStep = rowStep;

    /// <summary>Bytes from one column to the next.</summary>
    public readonly long ColumnStep = columnStep;

    /// <summary>True when the elements of a row are neighbours.</summary>
    public bool RowsAreDense => ColumnStep == Type.Size();

    /// <summary>True when the elements of a column are neighbours.</summary>
    public bool ColumnsAreDense => RowStep == Type.Size();

    public Operand Transpose() => new(Data, Type, Columns, Rows, ColumnStep, RowStep);

    public byte* At(long row, long column) => Data + row * RowStep + column * ColumnStep;

    /// <summary>A pinned rank-2 tensor of a computable type.</summary>
    public static Operand Of(Tensor t, in HostPin pin, string operation)
    {
        if (t.Rank != 2) throw TensorErrors.Rank(operation, 2, t.Shape);
        if (!t.DType.IsComputable()) throw TensorErrors.DTypeOf(operation, t.DType);
        var size = t.DType.Size();
        return new Operand(pin.Pointer + t.ByteOffset, t.DType, t.Shape[0], t.Shape[1], t.Strides[0] * size, t.Strides[1] * size);
    }
}
