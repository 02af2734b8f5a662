# The public names, once: lazy_loader reads this file, and so do type checkers.
from .analysis.checks import (
    diagnose as diagnose,
)
from .analysis.checks.result import (
    CheckResult as CheckResult,
)
from .analysis.credit import (
    bptt_credit as bptt_credit,
)
from .analysis.credit import (
    last_output as last_output,
)
from .analysis.credit import (
    smt_credit as smt_credit,
)
from .analysis.evaluate import (
    Evaluation as Evaluation,
)
from .analysis.evaluate import (
    evaluate as evaluate,
)
from .analysis.gap import (
    loss_gap as loss_gap,
)
from .analysis.lengths import (
    loss_by_length as loss_by_length,
)
from .analysis.memories import (
    remember as remember,
)
from .analysis.memory_loss_curve import (
    memory_loss_curve as memory_loss_curve,
)
from .analysis.principal import (
    principal_components as principal_components,
)
from .analysis.probe import (
    linear_probe as linear_probe,
)
from .analysis.samples import (
    draw_samples as draw_samples,
)
from .baselines import (
    BASELINES as BASELINES,
)
from .baselines import (
    build_network as build_network,
)
from .baselines.attention import (
    build_transformer as build_transformer,
)
from .baselines.base import (
    Baseline as Baseline,
)
from .cells import (
    CELLS as CELLS,
)
from .cells.base import (
    Cell as Cell,
)
from .cells.wrap import (
    wrap as wrap,
)
from .config import (
    Budget as Budget,
)
from .config import (
    DataConfig as DataConfig,
)
from .config import (
    DMTConfig as DMTConfig,
)
from .config import (
    FitConfig as FitConfig,
)
from .config import (
    RunConfig as RunConfig,
)
from .config import (
    SMTConfig as SMTConfig,
)
from .config import (
    Stage as Stage,
)
from .config import (
    StudentConfig as StudentConfig,
)
from .config import (
    TeacherConfig as TeacherConfig,
)
from .data.images import (
    image_source as image_source,
)
from .data.opening import (
    open_data as open_data,
)
from .data.opening import (
    open_source as open_source,
)
from .data.series import (
    SeriesSource as SeriesSource,
)
from .data.source import (
    Source as Source,
)
from .data.text_files import (
    text_source as text_source,
)
from .errors import (
    UsageError as UsageError,
)
from .inference.aot import (
    AheadOfTime as AheadOfTime,
)
from .inference.aot import (
    compile_stream as compile_stream,
)
from .inference.sampling import (
    Sampling as Sampling,
)
from .inference.stream import (
    Stream as Stream,
)
from .inference.writing import (
    complete_images as complete_images,
)
from .inference.writing import (
    continue_text as continue_text,
)
from .inference.writing import (
    draw_images as draw_images,
)
from .methods import (
    METHODS as METHODS,
)
from .methods.base import (
    Method as Method,
)
from .methods.bptt import (
    TruncatedBPTT as TruncatedBPTT,
)
from .methods.bptt import (
    bptt as bptt,
)
from .methods.distill import (
    Distillation as Distillation,
)
from .methods.dmt import (
    UnrollDMT as UnrollDMT,
)
from .methods.dmt import (
    WindowDMT as WindowDMT,
)
from .methods.parallel import (
    Parallel as Parallel,
)
from .methods.rtrl import (
    RTRL as RTRL,
)
from .methods.smt import (
    FrozenSMT as FrozenSMT,
)
from .methods.smt import (
    JointSMT as JointSMT,
)
from .methods.smt import (
    TeacherTraining as TeacherTraining,
)
from .recipes import (
    RECIPES as RECIPES,
)
from .recipes.auto import (
    for_path as for_path,
)
from .recipes.strategies import (
    STRATEGIES as STRATEGIES,
)
from .student import (
    Student as Student,
)
from .student import (
    build_student as build_student,
)
from .student_file import (
    load_network as load_network,
)
from .student_file import (
    load_student as load_student,
)
from .student_file import (
    save_student as save_student,
)
from .teacher.store.reading import (
    LabelStore as LabelStore,
)
from .teacher.store.reading import (
    open_labels as open_labels,
)
from .teacher.target_source import (
    StoredTargets as StoredTargets,
)
from .teacher.target_source import (
    TargetSource as TargetSource,
)
from .teacher.teacher import (
    Teacher as Teacher,
)
from .teacher.teacher import (
    build_teacher as build_teacher,
)
from .training.check import (
    check as check,
)
from .training.folder import (
    RunFolder as RunFolder,
)
from .training.loop import (
    Fit as Fit,
)
from .training.loop import (
    NonFiniteLoss as NonFiniteLoss,
)
from .training.loop import (
    fit as fit,
)
from .training.trainer import (
    Trainer as Trainer,
)
from .types import (
    Batch as Batch,
)
from .types import (
    MemoryShape as MemoryShape,
)
from .types import (
    Signature as Signature,
)
from .types import (
    Tokens as Tokens,
)
from .types import (
    Vectors as Vectors,
)
