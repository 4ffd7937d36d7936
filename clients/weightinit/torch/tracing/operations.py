"""Tables of PyTorch's operations: the role of each in a graph (see `adapters.flow.graph.Role`).

A function, method and module share one normalized name: nn.MaxPool2d, F.max_pool2d and torch.max_pool2d have
one row. A test compares the table with all functions that PyTorch allows to be overridden, so that a new one
is not missed. Operations that are not in the table have the role UNKNOWN.
"""

from weightinit.adapters.flow.graph import Role

# fmt: off
_ROWS: dict[Role, str] = {
    Role.MOVE: """
        adaptiveavgpool1d adaptiveavgpool2d adaptiveavgpool3d adaptivemaxpool1d
        adaptivemaxpool1dwithindices adaptivemaxpool2d adaptivemaxpool2dwithindices adaptivemaxpool3d
        adaptivemaxpool3dwithindices adjoint aliascopy alphadropout asstrided asstridedcopy
        asstridedscatter atleast1d atleast2d atleast3d autocasttofullprecision
        autocasttoreducedprecision avgpool1d avgpool2d avgpool3d bfloat16 blockdiag broadcasttensors
        broadcastto cat cdouble cfloat chalf channelshuffle circularpad1d circularpad2d circularpad3d
        clone columnstack complex concat concatenate conj conjphysical constantpad1d constantpad2d
        constantpad3d constantpadnd contiguous copy cpu cuda dequantize detach detachcopy diag diagembed
        diagflat diagonal diagonalcopy diagonalscatter diff double dropout dropout1d dropout2d dropout3d
        droppath dstack expand expandas expandcopy featurealphadropout featuredropout fftfft fftfft2
        fftfftn fftfftshift ffthfft ffthfft2 ffthfftn fftifft fftifft2 fftifftn fftifftshift fftihfft
        fftihfft2 fftihfftn fftirfft fftirfft2 fftirfftn fftrfft fftrfft2 fftrfftn filldiagonal flatten
        flip fliplr flipud float fold fractionalmaxpool2d fractionalmaxpool2dwithindices
        fractionalmaxpool3d fractionalmaxpool3dwithindices gather gridsample gridsampler gridsampler2d
        gridsampler3d half hstack identity imag indexadd indexcopy indexfill indexput indexreduce
        interpolate intrepr ipu lppool1d lppool2d lppool3d maskedfill maskedscatter maskedselect
        maxpool1d maxpool1dwithindices maxpool2d maxpool2dwithindices maxpool3d maxpool3dwithindices
        maxunpool1d maxunpool2d maxunpool3d meshgrid moveaxis movedim mtia nantonum nativechannelshuffle
        nativedropout pad permute permutecopy pinmemory pixelshuffle pixelunshuffle put ravel real
        reflectionpad1d reflectionpad2d reflectionpad3d repeat repeatinterleave replicationpad1d
        replicationpad2d replicationpad3d requiresgrad reshape reshapeas resize resizeas resolveconj
        resolveneg retaingrad roll rot90 rowstack scatter scatteradd scatterreduce selectscatter set
        setitem slicescatter sort squeeze squeezecopy stack stochasticdepth swapaxes swapdims t take
        takealongdim tcopy tile to topk transpose transposecopy tril triu type typeas unflatten unfold
        unfoldcopy unsqueeze unsqueezecopy upsample upsamplebilinear2d upsamplenearest2d view viewas
        viewascomplex viewascomplexcopy viewasreal viewasrealcopy viewcopy vstack xpu zeropad1d
        zeropad2d zeropad3d
    """,
    Role.SPLIT: """
        chunk dsplit getitem hsplit index indexselect narrow narrowcopy select selectcopy slicecopy
        split splitcopy splitwithsizes splitwithsizescopy tensorsplit unbind unbindcopy unsafechunk
        unsafesplit unsafesplitwithsizes vsplit
    """,
    Role.NORM: """
        batchnorm batchnorm1d batchnorm2d batchnorm3d batchnormelemt crossmaplrn2d groupnorm
        instancenorm instancenorm1d instancenorm2d instancenorm3d layernorm localresponsenorm
        miopenbatchnorm nativebatchnorm nativegroupnorm nativelayernorm normalize renorm rmsnorm
        syncbatchnorm
    """,
    Role.REDUCE: """
        amax amin aminmax cummax cummin cumsum kthvalue logsumexp max mean median min mode nanmean
        nanmedian nanquantile nansum quantile sum sumtosize
    """,
    Role.STATISTIC: """
        frobeniusnorm linalgmatrixnorm linalgnorm linalgvectornorm nativenorm norm normexceptdim
        nuclearnorm std stdmean var varmean
    """,
    Role.ADD: """
        add addcdiv addcmul iadd isub lerp radd rsub sub subtract
    """,
    Role.MULTIPLY: """
        div divide idiv imul itruediv mul multiply rdiv rmul rtruediv truediv truedivide
    """,
    Role.ELEMENTWISE: """
        abs absolute acos acosh and angle apply arccos arccosh arcsin arcsinh arctan arctan2 arctanh
        asin asinh atan atan2 atanh bitwiseand bitwiseleftshift bitwisenot bitwiseor bitwiserightshift
        bitwisexor ceil celu clamp clampmax clampmin clip copysign cos cosh deg2rad digamma elu eq equal
        erf erfc erfinv exp exp2 expm1 fix floatpower floor floordiv floordivide fmax fmin fmod frac
        frexp ge gelu greater greaterequal gt hardshrink hardsigmoid hardswish hardtanh heaviside hypot
        i0 iand ifloordiv igamma igammac imod invert ior ipow isclose isfinite isinf isnan isneginf
        isposinf isreal ixor ldexp le leakyrelu less lessequal lgamma log log10 log1p log2 logaddexp
        logaddexp2 logicaland logicalnot logicalor logicalxor logit logsigmoid lt maximum minimum mish
        mod mvlgamma ne neg negative nextafter notequal or polygamma pos positive pow prelu rad2deg
        reciprocal relu relu6 remainder rfloordiv rmod round rpow rrelu rsqrt selu sgn sigmoid sign
        signbit silu sin sinc sinh softplus softshrink softsign specialdigamma specialentr specialerf
        specialerfc specialerfcx specialerfinv specialexp2 specialexpit specialexpm1 specialgammainc
        specialgammaincc specialgammaln speciali0 speciali0e speciali1 speciali1e speciallog1p
        speciallogit speciallogndtr specialmultigammaln specialndtr specialndtri specialpolygamma
        specialpsi specialround specialsinc specialxlog1py specialxlogy specialzeta sqrt square tan tanh
        tanhshrink threshold trunc where xlogy xor
    """,
    Role.ACTIVATION: """
        glu gumbelsoftmax logsoftmax softmax softmax2d softmin speciallogsoftmax specialsoftmax
    """,
    Role.PRODUCT: """
        addbmm addmm addmv addr affinegrid affinegridgenerator baddbmm bceloss bcewithlogitsloss
        bilinear binarycrossentropy binarycrossentropywithlogits bmm cartesianprod cdist chainmatmul
        cholesky choleskyinverse choleskysolve conv1d conv2d conv3d convolution convtbc convtranspose1d
        convtranspose2d convtranspose3d corrcoef cosineembeddingloss cosinesimilarity cov cross
        crossentropy crossentropyloss ctcloss dist dot dsmm einsum embedding embeddingbag
        gaussiannllloss ger groupedmm gru grucell hingeembeddingloss hsmm hspmm huberloss imatmul inner istft
        kldiv kron l1loss linalgcross linalgmatmul linalgmultidot linalgvecdot linear linearcrossentropy
        lstm lstmcell marginrankingloss matmul miopenconvolution miopenconvolutionaddrelu
        miopenconvolutionrelu miopenconvolutiontranspose miopendepthwiseconvolution miopenrnn mm mseloss
        multiheadattention multiheadattentionforward multilabelmarginloss multilabelsoftmarginloss
        multimarginloss multisoftmarginloss mv nllloss outer pairwisedistance pdist poissonnllloss
        rmatmul rnn rnnrelu rnnrelucell rnntanh rnntanhcell saddmm scaleddotproductattention smm
        smoothl1loss softmarginloss sparsemm spmm sspaddmm stft tensordot tripletmarginloss
        tripletmarginwithdistanceloss vdot
    """,
    Role.IGNORED: """
        all allclose any argmax argmin argsort argwhere array arraywrap autocast backward bernoulli
        bincount bool bucketize byte cauchy ccolindices ccolindicescopy char
        clearnonserializablecacheddata colindices colindicescopy constdataptr contains countnonzero
        crowindices crowindicescopy dataptr deepcopy densedim dim dimi dimorder dimv dlpack dlpackdevice
        elementsize emptylike exponential fill format fulllike gcd geometric get getdevice hashtensor
        histc histogram histogramdd indices indicescopy int iscoalesced iscomplex isconj iscontiguous
        isdistributed isfloatingpoint isin isinference isneg isnonzero ispinned issamesize issetto
        isshared issigned isview item lcm len lognormal long map map2 moduleload multinomial ndimension
        nelement nestedtensorsize nestedtensorstorageoffsets nestedtensorstrides newempty
        newemptystrided newtensor nnz nonzero
        nonzerostatic normal numel numpy onehot oneslike poisson qperchannelaxis qperchannelscales
        qperchannelzeropoints qscale qscheme qzeropoint rand randlike randnlike random recordstream
        reduceex registerhook registerpostaccumulategradhook repr reversed rowindices rowindicescopy
        searchsorted setstate sharememory short size sparsedim storage storageoffset storagetype
        symfloat symint symite symmax symmin symnot symsqrt symsum tolist uniform unique
        uniqueconsecutive unravelindex untypedstorage zero zeroslike
    """,
    # The effect on a signal is not known in general.
    Role.UNKNOWN: """
        batchnormbackwardelemt batchnormbackwardreduce batchnormgatherstats
        batchnormgatherstatswithcounts batchnormstats batchnormupdatestats binomial
        chooseqparamsoptimized coalesce coalesced combinations cumprod cumulativetrapezoid det
        fakequantizeperchannelaffine fakequantizepertensoraffine fbgemmlinearfp16weight
        fbgemmlinearfp16weightfp32activation fbgemmlinearint8weight fbgemmlinearint8weightfp32activation
        fbgemmlinearquantizeweight fbgemmpackgemmmatrixfp16 fbgemmpackquantizedmatrix
        fusedmovingavgobsfakequant geqrf gradient ilshift inverse irshift linalgcholesky
        linalgcholeskyex linalgcond linalgdet linalgdiagonal linalgeig linalgeigh linalgeigvals
        linalgeigvalsh linalghouseholderproduct linalginv linalginvex linalgldlfactor linalgldlfactorex
        linalgldlsolve linalglstsq linalglu linalglufactor linalglufactorex linalglusolve
        linalgmatrixexp linalgmatrixpower linalgmatrixrank linalgpinv linalgqr linalgslogdet linalgsolve
        linalgsolveex linalgsolvetriangular linalgsvd linalgsvdvals linalgtensorinv linalgtensorsolve
        linalgvander lobpcg logcumsumexp logdet lshift lu lusolve luunpack matrixexp matrixpower msort
        orgqr ormqr pcalowrank pinverse polar prod qr quantizedbatchnorm quantizedgrucell
        quantizedlstmcell quantizedmaxpool1d quantizedmaxpool2d quantizedmaxpool3d quantizedrnnrelucell
        quantizedrnntanhcell quantizeperchannel quantizepertensor quantizepertensordynamic
        resizeassparse rlshift ror rrshift rshift rxor sliceinverse slogdet sparsemask
        sparsemaskprojection sparseresize sparseresizeandclear specialairyai specialbesselj0
        specialbesselj1 specialbessely0 specialbessely1 specialchebyshevpolynomialt
        specialchebyshevpolynomialu specialchebyshevpolynomialv specialchebyshevpolynomialw
        specialhermitepolynomialh specialhermitepolynomialhe speciallaguerrepolynomiall
        speciallegendrepolynomialp speciallogsumexp specialmodifiedbesseli0 specialmodifiedbesseli1
        specialmodifiedbesselk0 specialmodifiedbesselk1 specialscaledmodifiedbesselk0
        specialscaledmodifiedbesselk1 specialshiftedchebyshevpolynomialt
        specialshiftedchebyshevpolynomialu specialshiftedchebyshevpolynomialv
        specialshiftedchebyshevpolynomialw specialsphericalbesselj0 svd svdlowrank todense tomkldnn
        tosparse trace trapezoid trapz triangularsolve values valuescopy
    """,
}
# fmt: on

ROLES: dict[str, Role] = {name: role for role, names in _ROWS.items() for name in names.split()}

# Operations that are activations, and the service's name for each.
ACTIVATIONS = {
    "celu": "celu",
    "elu": "elu",
    "gelu": "gelu",
    "glu": "glu",
    "gumbelsoftmax": "gumbel_softmax",
    "hardshrink": "hard_shrink",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_silu",
    "hardtanh": "hard_tanh",
    "leakyrelu": "leaky_relu",
    "logsigmoid": "log_sigmoid",
    "logsoftmax": "log_softmax",
    "mish": "mish",
    "prelu": "prelu",
    "relu": "relu",
    "relu6": "relu6",
    "rrelu": "rrelu",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "softmax": "softmax",
    "softmax2d": "softmax2d",
    "softmin": "softmin",
    "softplus": "softplus",
    "softshrink": "soft_shrink",
    "softsign": "softsign",
    "specialexpit": "sigmoid",
    "speciallogsoftmax": "log_softmax",
    "specialsoftmax": "softmax",
    "tanh": "tanh",
    "tanhshrink": "tanh_shrink",
    "threshold": "threshold",
}

# The position of the kernel among the arguments; for other products, all parameters among the operands.
KERNEL_ARGUMENTS = {
    "bilinear": (2,),
    "conv1d": (1,),
    "conv2d": (1,),
    "conv3d": (1,),
    "convtranspose1d": (1,),
    "convtranspose2d": (1,),
    "convtranspose3d": (1,),
    "embedding": (1,),
    "embeddingbag": (1,),
    "linear": (1,),
}
# Products that sum elements of one operand, weighted by the other.
MIXES = frozenset(
    [
        "addbmm",
        "addmm",
        "addmv",
        "baddbmm",
        "bmm",
        "chainmatmul",
        "conv1d",
        "conv2d",
        "conv3d",
        "convtranspose1d",
        "convtranspose2d",
        "convtranspose3d",
        "dsmm",
        "einsum",
        "imatmul",
        "inner",
        "linalgmatmul",
        "linalgmultidot",
        "linear",
        "matmul",
        "mm",
        "mv",
        "rmatmul",
        "saddmm",
        "scaleddotproductattention",
        "smm",
        "sparsemm",
        "spmm",
        "sspaddmm",
        "tensordot",
    ]
)
# The axis of the outputs (channels) in an operation's result, if it is not the last.
OUTPUT_AXES = {
    "conv1d": -2,
    "conv2d": -3,
    "conv3d": -4,
    "convtranspose1d": -2,
    "convtranspose2d": -3,
    "convtranspose3d": -4,
}


# The attributes of a tensor that are tensors, and the operation for each. Others are sizes and the like.
TENSOR_ATTRIBUTES = dict.fromkeys(("T", "mT", "H", "mH"), "t") | {
    "real": "real",
    "imag": "imag",
    "data": "detach",
}

# Operations that drop elements at random during training and scale the others.
DROPS = frozenset(
    [
        "alphadropout",
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "droppath",
        "featurealphadropout",
        "featuredropout",
        "stochasticdepth",
    ]
)

# Comparisons: their result is not a signal, but may select one.
COMPARISONS = frozenset(
    [
        "eq",
        "equal",
        "ge",
        "greater",
        "greaterequal",
        "gt",
        "isfinite",
        "isinf",
        "isnan",
        "le",
        "less",
        "lessequal",
        "logicaland",
        "logicalnot",
        "logicalor",
        "lt",
        "ne",
        "notequal",
    ]
)

# Functions that return constant tensors, and the value; or the position of the argument `fill_value`.
FILLS = {"zeros": 0.0, "newzeros": 0.0, "zeroslike": 0.0, "ones": 1.0, "newones": 1.0, "oneslike": 1.0}
FILLED = {"full": 1, "newfull": 2, "fulllike": 1, "tensor": 0, "scalartensor": 0}
