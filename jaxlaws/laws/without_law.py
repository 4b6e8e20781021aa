"""Papers of the reading list that state no law, and what the catalogue takes from them instead."""

# (paper, arXiv id), reason
WITHOUT_LAW: tuple[tuple[str, str], ...] = (
    (
        "TokenFormer: Rethinking Transformer Scaling with Tokenized Model Parameters, 2410.23168",
        "An architecture that grows; costs and losses are tabulated, nothing is fitted.",
    ),
    (
        "A Survey of Large Language Models, 2303.18223",
        "Restates the laws of Kaplan and of Hoffmann.",
    ),
    (
        "BudgetLongformer, 2211.17135",
        "A cheap recipe for legal text, with its scores.",
    ),
    (
        "Stack Over-Flowing with Results (SOBert), 2306.03268",
        "Two models and what they cost.",
    ),
    (
        "Large Concept Models, 2412.08821",
        "Compares architectures that predict sentences; no size is varied enough for a form.",
    ),
    (
        "CodeGen2, 2305.02309",
        "Four lessons from models near 1 B parameters; quotes laws of others.",
    ),
    (
        "Distilling Step-by-Step!, 2305.02301",
        "A method; its curves over the amount of data can be fitted with power_const.",
    ),
    (
        "Rethinking Scale (open models in social science), 2411.00890",
        "Accuracy against the number of labels without a form; log_law fits such curves.",
    ),
    (
        "Escaping the Big Data Paradigm with Compact Transformers, 2104.05704",
        "Architectures for small image sets.",
    ),
    (
        "Optimizing Distributed Training on Frontier, 2312.12705",
        "Engineering; its accounting is frontier_distributed_training.",
    ),
    (
        "Compact Language Models via Pruning and Knowledge Distillation (Minitron), 2407.14679",
        "Best practice, 40 times fewer tokens; the law of pruning is p2_pruning_posttrain.",
    ),
    (
        "Enhancing Code Generation for Low-Resource Languages, 2501.19085",
        "An empirical comparison of ways to adapt a model.",
    ),
    (
        "Does your data spark joy?, 2406.03476",
        "The best length of the last, upsampled phase is 10 to 20 % of training; no form.",
    ),
    (
        "A Survey on Model Compression for Large Language Models, 2308.07633",
        "A survey.",
    ),
    (
        "1.5-Pints, 2408.03506",
        "One small model on selected data.",
    ),
    (
        "Rephrasing the Web (WRAP), 2401.16380",
        "Three times faster and a tenth less perplexity; two numbers are no form.",
    ),
    (
        "Word-Level Representation From Bytes For Language Modeling, 2211.12677",
        "An architecture for input embeddings.",
    ),
    (
        "Winner-Take-All Column Row Sampling, 2305.15265",
        "The variance of a gradient estimator, not a law of size.",
    ),
    (
        "ELECTRA, 2003.10555",
        "Compares sample efficiency; the generator is best at 1/4 to 1/2 of the discriminator.",
    ),
    (
        "UniBench, 2408.04810",
        "A collection of benchmarks; scale helps reasoning little, which is stated, not fitted.",
    ),
    (
        "LLMs are Also Effective Embedding Models, 2412.12591",
        "A survey.",
    ),
    (
        "A Single Transformer for Scalable Vision-Language Modeling (SOLO), 2407.06438",
        "A training recipe.",
    ),
    (
        "Efficient Language Model Training through Cross-Lingual and Progressive Transfer "
        "Learning (CLP-Transfer), 2301.09626",
        "An initialisation that saves up to 80 % of the steps; no dependence on size is fitted.",
    ),
    (
        "Tokenization counts, 2402.14903",
        "Errors in arithmetic by direction of tokenisation; the gap shrinks with size, no form.",
    ),
    (
        "Do We Still Need Clinical Language Models?, 2302.08091",
        "Compares twelve models.",
    ),
    (
        "TERA, 2007.06028",
        "Pretraining for speech.",
    ),
    (
        "To Repeat or Not To Repeat, 2305.13230",
        "No closed form; token_crisis_repeat reads it through the law of repeated data.",
    ),
    (
        "Inverse Scaling, 2306.09479",
        "No closed form; inverse_scaling_trend labels a task's trend.",
    ),
    (
        "How Abilities in Large Language Models are Affected by SFT Data Composition, 2310.05492",
        "Curves without a printed form; sft_data_composition and sft_alignment read them.",
    ),
    (
        "Kimi k1.5, 2501.12599",
        "An objective for reinforcement learning, kimi_length_reward; no law of size.",
    ),
    (
        "Starbucks: 2D Matryoshka training, 2410.13230",
        "A training loss, starbucks_nested_loss; no law of size.",
    ),
    (
        "Elucidating the design space of language models for image generation (ELM), 2410.16257",
        "Trends with size; the randomness of tokens is uniformity_kl.",
    ),
    (
        "PanGu-pi, 2312.17276",
        "A bound in depth, pangu_pi_feature_diversity; no law of size.",
    ),
    (
        "Linguistic Collapse, 2405.17767",
        "Measures and their correlations with size, linguistic_collapse_metrics; no fitted form.",
    ),
    (
        "FM-annealing (sibling of lr_annealing), 2512.13705",
        "Its term sums the optimiser's own moments over training, which no table of runs holds.",
    ),
    (
        "Unified Neural Scaling Laws (successor of bnsl), 2605.26248",
        "Several inputs at once; the reading list names it without its formula.",
    ),
)
