"""Which single number of a task is explained: the higher, the worse for the patient."""

from torch import Tensor

from mtl_hcc.nn import TaskHead


def task_score(head: TaskHead, output: Tensor) -> Tensor:
    r"""Return the score that maps and occlusion explain, (patient,).

    Survival: the log hazard. Classes: the log odds of any class above 0,
    :math:`\log \sum_{k>0} e^{z_k} - z_0`; with two classes that is the logit of the positive class
    minus the other one, with M0, M1, M2 the log odds of any invasion.

    Args:
        head: Of the task.
        output: (patient, outputs) of the head.
    """
    if head.kind == "survival":
        return output[:, 0]
    return output[:, 1:].logsumexp(dim=1) - output[:, 0]
